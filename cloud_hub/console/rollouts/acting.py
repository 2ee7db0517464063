"""What a person may do to a rollout from afar: the calls of the command line, for pages and programs alike.

Who may is the caller's to check (``NEEDED``, by ``gate.needs``); what an act takes and tells is here.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from cloud_hub.console.here import caller, hub
from cloud_hub.console.sentences import objection, one_line
from cloud_hub.errors import HubError
from cloud_hub.identity.people.permissions import Permission

NEEDED: Mapping[str, Permission] = MappingProxyType(
    {
        "approve": Permission.WIDEN,
        "pause": Permission.PAUSE,
        "resume": Permission.STEER,
        "abort": Permission.STEER,
        "undo": Permission.STEER,
    }
)
NEEDS_REASON = frozenset({"pause", "abort", "undo"})
_DONE: Mapping[str, str] = MappingProxyType(
    {
        "approve": "Approved: the wave opens.",
        "pause": "Paused.",
        "resume": "Resumed.",
        "abort": "Aborted.",
        "undo": "Devices are being sent back.",
    }
)


class ReasonError(HubError):
    """An act without the reason that it takes, or with one too long to keep."""


def act_on(rollout: str, act: str, reason: str, *, wave: int | None = None) -> str:
    """Do ``act``, of ``NEEDED``, in the caller's name; returns what was done, as a sentence.

    Approved is ``wave`` and no other, where the caller says which one they looked at.

    ``ReasonError`` and ``ConflictError`` say why nothing was done.
    """
    told = one_line(reason)
    if fault := objection(told, needed=act in NEEDS_REASON):
        raise ReasonError(fault)
    rollouts, actor = hub().rollouts, caller().name
    calls: Mapping[str, Callable[..., None]] = {
        "approve": partial(rollouts.approve, wave=wave),
        "pause": rollouts.pause,
        "resume": rollouts.resume,
        "abort": rollouts.abort,
        "undo": rollouts.undo,
    }
    calls[act](rollout, actor=actor, reason=told)
    return _DONE[act]
