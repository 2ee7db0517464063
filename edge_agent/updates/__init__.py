"""Updates: a device runs only what was signed for it, and a bad model undoes itself.

The agent uses :class:`Updates` and its neighbours named here; everything else is
between these modules.
"""

from edge_agent.updates.deferral import Deferrals, first_known
from edge_agent.updates.golden import DeviceFacts, Features
from edge_agent.updates.loaded import LoadedRelease
from edge_agent.updates.updates import Updates

__all__ = ["Deferrals", "DeviceFacts", "Features", "LoadedRelease", "Updates", "first_known"]
