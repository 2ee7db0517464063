"""Which execution answers for a use case has changed: told to the hub, once a change.

Changes show where a row is being answered, which waits for nothing; they are handed to the updates,
whose reports survive a restart, by the thread that keeps the agent's parts running.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from edge_agent.runners.change import Change
from edge_agent.updates.errors import JournalError

MOST_WAITING = 64

Note = Callable[[str, str, str, Mapping[str, Any]], None]

log = structlog.get_logger()


class InferenceReports:
    """``heard`` on any thread, ``hand_over`` on one."""

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque(maxlen=MOST_WAITING)
        self._told: dict[str, str] = {}  # by use case, the last change

    def heard(self, change: Change) -> None:
        log.warning(change.event, use_case=change.use_case, release=change.release, reason=change.reason)
        self._waiting.append(change)

    def hand_over(self, note: Note) -> None:
        """Give ``note`` use case, event, reason and evidence of what changed; what it refuses waits."""
        while self._waiting:
            change = self._waiting[0]
            said = json.dumps([change.release, change.event, change.reason])
            if self._told.get(change.use_case) != said:
                evidence = {**change.evidence, "of": change.release}
                try:
                    note(change.use_case, change.event, change.reason, evidence)
                except JournalError as error:
                    log.warning("report waits", reason=str(error))
                    return
                self._told[change.use_case] = said
            self._waiting.popleft()
