"""A run's row: who works on it, how far it is, how it ended.

Each start of the work is an attempt with a number of its own. Only the newest
attempt writes: a worker that was given up for dead and is not finds its run taken.
"""

from collections.abc import Iterator
from contextlib import contextmanager
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
    dataset: str | None = None  # that an earlier attempt began with
    _told: tuple[str, float] = ("", -1.0)

    def progress(self, stage: str, share: float) -> None:
        """Show how far ``stage`` is; ``TakenError`` where this attempt no longer owns the run."""
        name = stage.partition(", epoch")[0]
        if name == self._told[0] and 0 <= share - self._told[1] < PROGRESS_STEP:
            return
        self._told = (name, share)
        values = {"run": self.run, "attempt": self.number, "stage": stage, "progress": share}
        if not self.hub.database.execute(SQL["progress"], values):
            raise TakenError(f"attempt {self.number} at {self.run} was taken over, or the run has ended")

    def begin_with(self, dataset: str) -> None:
        """Note that the run learns from ``dataset``, whoever takes it over.

        ``ConflictError`` where a trigger asked for it and another run has learnt from the same: it would
        only end the same. People may ask for whatever they like.
        """
        values = {"run": self.run, "attempt": self.number, "dataset": dataset}
        before = self.hub.database.row(SQL["learnt_before"], values | {"use_case": self.use_case})
        if before is not None and "why" in self.settings:
            raise ConflictError(
                f"{before['id']} has learnt from {dataset} already, and nothing has come in since: "
                "wait for new rows or labels"
            )
        self.hub.database.execute(SQL["set_dataset"], values)

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
        dataset=row["dataset"],
    )


def cancel(hub: Hub, run: str, *, actor: str) -> None:
    """End ``run``, which whoever works on it notices soon; ``ConflictError`` where it has ended already."""
    with hub.database.transaction() as connection:
        values = {"run": run, "error": f"cancelled by {actor}", "now": hub.clock.now()}
        row = connection.execute(SQL["cancel"], values).fetchone()
        if row is None:
            raise ConflictError(f"{run} has ended already, or never was: there is nothing to cancel")
        hub.record(
            connection, actor=actor, action="retrain.cancel", subject=run, correlation=row["correlation"]
        )


@contextmanager
def cancelled_by_interrupt(hub: Hub, run: str, *, actor: str) -> Iterator[None]:
    """Whoever follows ``run`` and interrupts that wants it to end."""
    try:
        yield
    except KeyboardInterrupt:
        cancel(hub, run, actor=actor)
        raise


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
