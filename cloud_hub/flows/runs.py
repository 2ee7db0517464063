"""A run's row: who works on it, how far it is, how it ended.

Each start of the work is an attempt with a number of its own. Only the newest
attempt writes: a worker that was given up for dead and is not finds its run taken.
"""

from dataclasses import dataclass
from typing import Any

from cloud_hub.errors import ConflictError
from cloud_hub.hub import Hub
from cloud_hub.store.database import Connection, load_queries

SQL = load_queries("cloud_hub.flows")
PROGRESS_STEP = 0.02  # smaller steps of a stage are not written


class TakenError(ConflictError):
    """Another attempt owns the run, or it has ended."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try at a run, by one process."""

    hub: Hub
    run: str
    number: int
    use_case: str
    correlation: str
    settings: dict[str, Any]
    _told: tuple[str, float] = ("", -1.0)

    def progress(self, stage: str, share: float) -> None:
        """Show how far ``stage`` is; ``TakenError`` where this attempt no longer owns the run."""
        if stage == self._told[0] and share - self._told[1] < PROGRESS_STEP:
            return
        self._told = (stage, share)
        values = {"run": self.run, "attempt": self.number, "stage": stage, "progress": share}
        if not self.hub.database.execute(SQL["progress"], values):
            raise TakenError(f"attempt {self.number} at {self.run} was taken over, or the run has ended")

    def hold(self, connection: Connection) -> None:
        """Lock the run for the rest of the transaction that writes its result."""
        values = {"run": self.run, "attempt": self.number}
        if connection.execute(SQL["hold"], values).fetchone() is None:
            raise TakenError(f"attempt {self.number} at {self.run} was taken over, or the run has ended")


def own(hub: Hub, run: str) -> Attempt:
    """Begin a new attempt at ``run``; ``TakenError`` where it has ended already."""
    row = hub.database.row(SQL["own"], {"run": run})
    if row is None:
        raise TakenError(f"{run} has ended already, or never was")
    return Attempt(
        hub=hub,
        run=run,
        number=row["attempt"],
        use_case=row["use_case"],
        correlation=row["correlation"],
        settings=row["settings"],
    )


def fail(hub: Hub, run: str, error: str, *, attempt: int | None = None) -> None:
    """End ``run`` as failed, unless it has ended or another attempt than ``attempt`` owns it."""
    with hub.database.transaction() as connection:
        values = {"run": run, "error": error, "attempt": attempt, "now": hub.clock.now()}
        row = connection.execute(SQL["fail"], values).fetchone()
        if row is not None:
            hub.record(
                connection,
                actor="job:retrain",
                action="retrain.fail",
                subject=run,
                detail={"error": error},
                correlation=row["correlation"],
            )
