"""Looking at the triggers of a use case, and starting a training where one of them says so.

Any number of workers may look at once: whether to start is decided again, under the lock that
numbers runs, on what the database says then. So a training starts once, and never while
another one of its use case is at work, is cooling down or waits in a rollout.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cloud_hub.errors import HubError
from cloud_hub.flows import retrain
from cloud_hub.flows.runs import SQL as RUNS
from cloud_hub.hub import Hub
from cloud_hub.monitor.triggers import SQL, Standing, gathering, held, new_world, reasons
from cloud_hub.registry.models import Registry
from cloud_hub.store.database import Connection, Row
from kernels.errors import KernelError
from models import use_case as use_cases
from models.declared.retraining import Drift
from models.errors import ModelError
from models.use_case import UseCase

ACTOR = "policy:retrain"
EVERY = timedelta(hours=1)  # of the hub's clock, between two looks
UNREADABLE = (HubError, ModelError, KernelError, OSError)  # drift cannot be told: their text says why

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was found, and what came of it."""

    release: str | None  # the champion
    reasons: tuple[str, ...]  # why to train again
    held: str  # why nothing is started all the same
    drift_since: datetime | None = None
    learn_since: datetime | None = None  # what came before is of a world that has passed
    figures: Mapping[str, Any] = field(default_factory=dict)  # of drift; "why_not" where there are none


def due(hub: Hub) -> list[str]:
    """Use cases with triggers that nobody has looked at for a while."""
    found, now = [], hub.clock.now()
    for name in use_cases.names(hub.config.use_cases):
        try:
            goes_on = use_cases.find(name, hub.config.use_cases).retrain.goes_on
        except ModelError as error:
            log.warning("a use case is not looked at", use_case=name, reason=str(error))
            continue
        row = hub.database.row(SQL["newest_check"], {"use_case": name}) if goes_on else None
        if goes_on and (row is None or now - row["checked"] >= EVERY):
            found.append(name)
    return found


def execute(hub: Hub, name: str) -> None:
    """Look at the use case ``name`` and start what is called for: for a child process of the worker."""
    use_case = use_cases.find(name, hub.config.use_cases)
    looked = look(hub, use_case)
    with hub.database.transaction() as connection:
        connection.execute(RUNS["lock_runs"])
        now = hub.clock.now()
        stopped = held(use_case.retrain, _standing(connection, use_case, now), now)
        run = None
        if looked.reasons and not (looked.held or stopped):
            why = "; ".join(looked.reasons)
            run = retrain.queue_run(hub, connection, name, actor=ACTOR, why=why, since=looked.learn_since)
            log.info("a training was started", use_case=name, run=run, why=why)
        _keep(connection, use_case, looked, now, held=looked.held or stopped, run=run)


def look(hub: Hub, use_case: UseCase, *, whatever: bool = False) -> Looked:
    """What the triggers say now; drift is looked at only where a training could start, or ``whatever``."""
    rule, now = use_case.retrain, hub.clock.now()
    with hub.database.transaction() as connection:
        standing = _standing(connection, use_case, now)
        before = connection.execute(SQL["newest_check"], {"use_case": use_case.name}).fetchone()
    stopped, found = held(rule, standing, now), reasons(rule, standing, now)
    known = before["drift_since"] if before and before["release"] == standing.champion else None
    if rule.drift is None or standing.champion is None or (stopped and not whatever):
        return Looked(release=standing.champion, reasons=found, held=stopped, drift_since=known)
    drift, figures = _drift(hub, use_case, rule.drift, standing.champion)
    since = (known or now) if drift else None
    waits = gathering(rule, since, now) if since else ""
    return Looked(
        release=standing.champion,
        reasons=(*found, *drift),
        held=stopped or ("" if found else waits),
        drift_since=since,
        learn_since=new_world(rule.drift, since) if since and not waits else None,
        figures=figures,
    )


def _drift(hub: Hub, use_case: UseCase, rule: Drift, champion: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    from cloud_hub.flows import watching  # noqa: PLC0415 - brings the compiled kernels and the networks' runner

    try:
        model = Registry(hub.database, hub.artifacts, hub.clock).get(champion)
        drifted = watching.look(hub, use_case, model, rule)
    except UNREADABLE as error:
        return (), {"why_not": str(error)}
    return drifted.reasons(rule), asdict(drifted)


def _standing(connection: Connection, use_case: UseCase, now: datetime) -> Standing:
    asked = {"use_case": use_case.name, "machine_class": use_case.machine_class, "now": now}
    row = connection.execute(SQL["standing"], asked).fetchone()
    assert row is not None, "it has one row whatever there is"
    return Standing(**row)


def _keep(
    connection: Connection, use_case: UseCase, looked: Looked, now: datetime, *, held: str, run: str | None
) -> None:
    connection.execute(SQL["forget_quiet"], {"use_case": use_case.name})
    row = {"use_case": use_case.name, "checked": now, "release": looked.release, "run": run, "held": held}
    told: Row = {"reasons": list(looked.reasons), "drift_since": looked.drift_since}
    told["figures"] = Jsonb(dict(looked.figures))
    connection.execute(SQL["insert_check"], row | told)
