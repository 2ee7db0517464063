"""The machines of the plant by risk, looked up once a second at most, however many pages show them.

A change shows up within that second, as live pages hear of it anyway.
"""

import threading
import time
from dataclasses import dataclass

from cloud_hub.console import risk
from cloud_hub.console.here import SQL
from cloud_hub.console.outlooks import Meaning
from cloud_hub.console.risk import Risk
from cloud_hub.store import fleet
from cloud_hub.store.database import Database
from wire.clock import Clock

HOLDS_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    risks: tuple[Risk, ...]
    looked: float  # on the monotonic clock, before the look


class Ranking:
    """The one of this process; whoever comes while it is looked up waits for that."""

    def __init__(self, database: Database, clock: Clock, *, holds_s: float = HOLDS_S) -> None:
        self._database = database
        self._clock = clock
        self._holds_s = holds_s
        self._turn = threading.Lock()
        self._ranked: Ranked | None = None

    def read(self) -> tuple[Risk, ...]:
        with self._turn:
            now = time.monotonic()
            if self._ranked is None or now - self._ranked.looked >= self._holds_s:
                self._ranked = Ranked(risks=self._look(), looked=now)
            return self._ranked.risks

    def _look(self) -> tuple[Risk, ...]:
        machines = fleet.machines(self._database)
        return tuple(risk.ranked(machines, meanings(self._database), self._clock.now()))


def meanings(database: Database) -> dict[str, Meaning]:
    """By release."""
    return {row["release"]: Meaning.of(row) for row in database.rows(SQL["releases"])}
