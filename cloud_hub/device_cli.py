"""``andon device``: what two stages know about a device, under one name.

Adding one is identity's, everything after that is rollout's.
"""

from cloud_hub.identity.cli import device_add
from cloud_hub.rollout.cli import device_app

device_app.command("add")(device_add)

__all__ = ["device_app"]
