"""The hub's parts, assembled once and handed to the CLI, the console and the workers."""

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud_hub.config import HubConfig
from cloud_hub.flows.champion import set_champion
from cloud_hub.governance import audit
from cloud_hub.jobs import queue
from cloud_hub.rollout.engine import Engine
from cloud_hub.rollout.ports import Record
from cloud_hub.rollout.rollouts import Rollouts
from cloud_hub.signing.director import Director
from cloud_hub.store.database import Connection, Database
from wire.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    config: HubConfig
    clock: Clock
    database: Database
    rollouts: Rollouts
    record: Record

    @property
    def artifacts(self) -> Path:
        """Where datasets, models and bundles lie."""
        return self.config.state_dir / "artifacts"


@contextmanager
def opened(config: HubConfig) -> Iterator[Hub]:
    """The hub of ``config``, its connections open until the block ends."""
    clock = config.time()
    with config.database() as database:
        yield assemble(config, database, clock)


def assemble(config: HubConfig, database: Database, clock: Clock) -> Hub:
    """The parts plugged into each other: rollouts write the audit chain and wake the rollout worker."""
    record = recorder(clock)
    rollouts = Rollouts(database, clock, record=record, wake=wake_rollouts, crown=set_champion)
    return Hub(config=config, clock=clock, database=database, rollouts=rollouts, record=record)


def engine(hub: Hub) -> Engine:
    """The rollout engine: for `andon hub work` alone, which may read the director's key."""
    return Engine(
        hub.database,
        hub.clock,
        sign=Director.of(hub.config).sign_all,
        record=hub.record,
        crown=set_champion,
        directive_days=hub.config.directive_days,
    )


def recorder(clock: Clock) -> Record:
    """The audit chain, on ``clock``."""

    def record(connection: Connection, **act: Any) -> None:
        audit.append(connection, clock, **act)

    return record


def wake_rollouts(connection: Connection) -> None:
    """Have the rollout worker drive the active rollouts, once this transaction commits."""
    queue.defer(connection, queue.DRIVE, queue=queue.ROLLOUT, lock=queue.DRIVE, queueing_lock=queue.DRIVE)


def person() -> str:
    """Who sits at this terminal: the actor of what a command does.

    It is the user whom the process belongs to, as the system tells it and not as the environment
    may: everybody can set ``LOGNAME``. Behind root it is whoever came by sudo, so that nobody has
    two voices for being an administrator as well.
    """
    return person_of(os.getuid(), os.environ)


def person_of(uid: int, environment: Mapping[str, str]) -> str:
    """The name of ``uid``; of root, that of the user who called sudo. Only root's word on that counts."""
    behind = environment.get("SUDO_UID", "")
    if uid == 0 and behind.isascii() and behind.isdecimal():
        uid = int(behind)
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):  # as in a container that knows no names
        return f"uid {uid}"
