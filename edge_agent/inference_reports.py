"""Which execution answers for a use case has changed: told to the hub, once a change.

Changes show where a row is being answered, which waits for nothing; they are handed to the updates,
whose reports survive a restart, by the thread that keeps the agent's parts running. What changes to and
fro is told at once, and then as it stands once a minute. Two releases of one use case run while the newer
one is on probation: a GPU that dies is told of both.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from edge_agent.runners.fallback import REFUSED, Change
from edge_agent.updates.errors import JournalError

PAUSE_S = 60.0  # between two reports of one release

Of = tuple[str, str, str]  # use case, release, and of an engine that was refused which one and why
Note = Callable[[str, str, str, Mapping[str, Any]], None]

log = structlog.get_logger()


class InferenceReports:
    """``heard`` on any thread, ``hand_over`` on one."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._newest: dict[Of, Change] = {}
        self._told: dict[Of, tuple[Change, float]] = {}  # and when

    def heard(self, change: Change) -> None:
        refused = change.reason if change.event == REFUSED else ""
        self._newest[change.use_case, change.release, refused] = change

    def hand_over(self, note: Note) -> None:
        """Give ``note`` use case, event, reason and evidence of what changed; what it refuses waits."""
        for of, change in list(self._newest.items()):
            told, when = self._told.get(of, (None, 0.0))
            if change == told or (told is not None and self._now() - when < PAUSE_S):
                continue
            try:
                note(change.use_case, change.event, change.reason, {**change.evidence, "of": change.release})
            except JournalError as error:
                log.warning("report waits", reason=str(error))
                return
            self._told[of] = change, self._now()
            log.warning(change.event, use_case=change.use_case, release=change.release, reason=change.reason)
