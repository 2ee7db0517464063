"""What people decide about a release: yes, no for good; and what it would say if inputs were others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import numpy as np
from pydantic import Field, StringConstraints

from cloud_hub.console import reach
from cloud_hub.console.api.asked import Body, Note, RefusedError, refused
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.releases import VERSION
from cloud_hub.console.here import caller, hub
from cloud_hub.console.models import whatif
from cloud_hub.console.models.whatif import Moved
from cloud_hub.console.models.whatif_pages import SQL
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows import refusing
from cloud_hub.flows import release as releases
from cloud_hub.identity.people.permissions import Permission, roles_with
from models.errors import UseCaseError

LARGEST = float(np.finfo(np.float32).max)

Number = Annotated[float, Field(gt=-LARGEST, lt=LARGEST)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Approval(Body):
    override: Annotated[Note, Field(description="Why, where the gate has said no.")] = ""


class Refusing(Body):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")]


class WhatIf(Body):
    machine: Name
    inputs: Annotated[
        dict[Name, Number],
        Field(default_factory=dict, max_length=500, description="By name; others stay as they were."),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """``enough``: publishing is queued; watch the release's state become released. Else what is missing."""

    release: str
    enough: bool
    approved_by: tuple[str, ...]
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFor:
    """``changed`` is false where somebody had refused it before; it is theirs that stands."""

    release: str
    person: str
    reason: str
    refused: datetime
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldBe:
    """What the release says of the machine's row of ``time``, as it was and as it would be."""

    release: str
    machine: str
    time: datetime
    outputs: tuple[Moved, ...]


@operation("POST", f"/releases/<use_case>/{VERSION}/approve", Permission.APPROVE)
def approve_release(use_case: str, version: int, body: Approval) -> Approved:
    """Approve a release; with enough people it is bundled, signed and published.

    A person counts once, however often they say it.
    """
    named = f"{use_case}/{version}"
    with _declared():
        stands = releases.approve(hub(), named, person=caller().name, override=body.override)
    return Approved(
        release=named, enough=stands.enough, approved_by=tuple(stands.voices), missing=stands.missing
    )


@operation("POST", f"/releases/<use_case>/{VERSION}/refuse", Permission.APPROVE)
def refuse_release(use_case: str, version: int, body: Refusing) -> RefusedFor:
    """Refuse a release for good: nobody can approve it or roll it out any more."""
    found = refusing.refuse(hub(), f"{use_case}/{version}", person=caller().name, reason=body.reason)
    return RefusedFor(
        release=found.release,
        person=found.person,
        reason=found.reason,
        refused=found.refused,
        changed=found.new,
    )


@operation("POST", f"/releases/<use_case>/{VERSION}/what-if", Permission.ASK)
def what_if(use_case: str, version: int, body: WhatIf) -> WouldBe:
    """What a release would say of a machine's newest row if some of its inputs were others.

    Nothing is stored. Takes the permission at the machine's site, and a scoring service that runs.
    """
    manifest = whatif.manifest_of(use_case, version)
    reach.check_machine(body.machine)
    sites = reach.machine(body.machine)
    if not caller().rights.may(Permission.ASK, sites):
        roles = " or ".join(roles_with(Permission.ASK))
        raise RefusedError(403, f"To ask about {body.machine} takes the role {roles} at its site.")
    places = {each.name: place for place, each in enumerate(manifest.inputs)}
    if unknown := sorted(body.inputs.keys() - places.keys()):
        raise refused(f"inputs.{unknown[0]}", "the name of an input of this release", unknown[0])
    asked = {"use_case": use_case, "machine": body.machine, "sites": None}
    newest = hub().database.row(SQL["newest"], asked)
    if newest is None:
        raise NotFoundError(f"prediction by {use_case} of a machine", body.machine)
    before = whatif.before_of(manifest, newest["machine"], newest["time"])
    after = before.row.copy()
    for name, value in body.inputs.items():
        after[places[name]] = value
    return WouldBe(
        release=manifest.release,
        machine=body.machine,
        time=before.time,
        outputs=tuple(whatif.ask(manifest, before.row, after)),
    )


@contextmanager
def _declared() -> Iterator[None]:
    """A use case whose declaration is gone, or cannot be read, can be asked for nothing."""
    try:
        yield
    except UseCaseError as error:
        raise ConflictError(str(error)) from error
