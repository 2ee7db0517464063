"""What becomes of a model that a policy had trained and the gate let pass, in `andon hub work`.

Where its use case says so it goes on to a canary by itself: approved by the policy, published,
rolled out in the waves that the use case names, and from there the rollout's own policy decides.
Where people have to approve it, it waits for them. Each step is found in the database and taken
once: a worker may die between any two.
"""

from collections.abc import Callable

import structlog

from cloud_hub.errors import HubError
from cloud_hub.flows.release import approve
from cloud_hub.flows.triggers import ACTOR
from cloud_hub.hub import Hub
from cloud_hub.registry.approvals import standing
from cloud_hub.rollout.plan import Plan, Wave
from cloud_hub.store.database import Row, load_queries
from models import use_case as use_cases
from models.errors import ModelError
from models.use_case import UseCase

SQL = load_queries("cloud_hub.flows", "admission.sql")

log = structlog.get_logger()


class Admission:
    """Used by one thread at a time."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._told: dict[str, str] = {}  # by release, why it waits: said once

    def tend(self) -> None:
        """Do what is due; costs two small queries where there is nothing to do."""
        database = self._hub.database
        for row in database.rows(SQL["candidates"]):
            self._take(self._approve, row)
        for row in database.rows(SQL["released"], {"actor": ACTOR}):
            self._take(self._roll_out, row)

    def _take(self, step: Callable[[str, UseCase], str], row: Row) -> None:
        release = row["release"]
        try:
            waits = step(release, use_cases.find(row["use_case"], self._hub.config.use_cases))
        except (HubError, ModelError) as error:
            waits = str(error)
        if waits and self._told.get(release) != waits:
            log.info("a release waits", release=release, reason=waits)
        self._told[release] = waits

    def _approve(self, release: str, use_case: UseCase) -> str:
        """Why it waits; empty where the policy has approved it."""
        if use_case.retrain.admitted == "wait":
            return f"for an approver: `andon model approve {release}`"
        stands = standing([ACTOR], ACTOR, use_case.approval)
        if stands.enough:
            approve(self._hub, release, person=ACTOR)
        return stands.missing

    def _roll_out(self, release: str, use_case: UseCase) -> str:
        canary = use_case.retrain.canary
        plan = Plan(
            release=release,
            use_case=use_case.name,
            waves=tuple(map(Wave.parse, canary.waves)),
            soak_hours=canary.soak_hours,
            approve_before=canary.approve_before,
        )
        self._hub.rollouts.start(plan, actor=ACTOR)  # under the correlation of its run
        return ""
