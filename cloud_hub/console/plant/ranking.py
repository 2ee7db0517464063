"""The machines of the plant by risk, looked up once for all pages that show them.

While pages are open, the pulse looks before it tells them that something changed: what they then
ask for is there, and no older than the news. Where none is open, a page looks for itself.
"""

import threading
import time
from dataclasses import dataclass, field

from cloud_hub.console.here import SQL
from cloud_hub.console.plant import risk
from cloud_hub.console.plant.glances import Glances
from cloud_hub.console.plant.outlooks import Meaning
from cloud_hub.console.plant.risk import Risk
from cloud_hub.store import fleet, plant
from cloud_hub.store.database import Database
from cloud_hub.store.plant import Site
from wire.clock import Clock

HOLDS_S = 2.0  # longer than from one beat of the pulse to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    risks: tuple[Risk, ...]
    sites: tuple[Site, ...]  # by name
    began: float  # of the look, on the monotonic clock
    glances: Glances = field(default_factory=Glances)  # what pages show of it


class Ranking:
    """The one of this process. A page waits for a look only where there is none that still holds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._turn = threading.Lock()
        self._ranked: Ranked | None = None

    def read(self) -> tuple[Risk, ...]:
        """As it was two seconds ago at most."""
        return self.ranked().risks

    def ranked(self) -> Ranked:
        """The same with all that pages share of it."""
        if not self._holds(self._ranked):
            with self._turn:
                if not self._holds(self._ranked):
                    self._ranked = self._look()
        assert self._ranked is not None  # it never becomes None again
        return self._ranked

    def look(self) -> None:
        """Have it be as it is now."""
        with self._turn:
            self._ranked = self._look()

    def _look(self) -> Ranked:
        began = time.monotonic()
        machines = fleet.machines(self._database)
        risks = risk.ranked(machines, meanings(self._database), self._clock.now())
        return Ranked(risks=tuple(risks), sites=tuple(plant.sites(self._database)), began=began)

    @staticmethod
    def _holds(ranked: Ranked | None) -> bool:
        return ranked is not None and time.monotonic() - ranked.began < HOLDS_S


def meanings(database: Database) -> dict[str, Meaning]:
    """By release."""
    return {row["release"]: Meaning.of(row) for row in database.rows(SQL["releases"])}
