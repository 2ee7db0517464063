"""The hub's parts, assembled once and handed to the CLI, the console and the workers."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud_hub.config import HubConfig
from cloud_hub.governance import audit
from cloud_hub.jobs import queue
from cloud_hub.rollout.rollouts import Rollouts
from cloud_hub.store.database import Connection, Database
from wire.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    config: HubConfig
    clock: Clock
    database: Database
    rollouts: Rollouts

    @property
    def artifacts(self) -> Path:
        """Where datasets, models and bundles lie."""
        return self.config.state_dir / "artifacts"

    def record(
        self,
        connection: Connection,
        *,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any] | None = None,
        correlation: str = "",
    ) -> None:
        """Write an act into the audit chain, in the transaction that performs it."""
        audit.append(
            connection,
            self.clock,
            actor=actor,
            action=action,
            subject=subject,
            detail=detail,
            correlation=correlation,
        )


@contextmanager
def opened(config: HubConfig) -> Iterator[Hub]:
    """The hub of ``config``, its connections open until the block ends."""
    clock = config.time()
    with config.database() as database:
        yield Hub(config=config, clock=clock, database=database, rollouts=assemble(database, clock))


def assemble(database: Database, clock: Clock) -> Rollouts:
    """Rollouts that write the audit chain and wake the rollout worker."""

    def record(connection: Connection, **act: Any) -> None:
        audit.append(connection, clock, **act)

    def wake(connection: Connection) -> None:
        queue.defer(
            connection, queue.DRIVE, queue=queue.ROLLOUT, lock=queue.DRIVE, queueing_lock=queue.DRIVE
        )

    return Rollouts(database, clock, record=record, wake=wake)


def person() -> str:
    """Who sits at this terminal: the actor of what a command does."""
    return getpass.getuser()
