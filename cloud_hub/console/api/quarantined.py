"""Quarantine: what could not be stored, why, and asking for another try.

What belongs to devices at sites that the caller may not see is not there; what belongs to no known device is
for those who see every site.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from cloud_hub.console import reach
from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import Body, Nothing, Text, WrittenMoment
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.flows import replaying
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import quarantine, quarantine_list
from cloud_hub.store.quarantine import Contents
from cloud_hub.store.quarantine_list import Reason

NUMBER = "<int(min=1, max=9223372036854775807):name>"

State = Literal["waiting", "asked", "stored"]


class QuarantineAsked(Paging):
    reason: Text = ""
    device: Text = ""
    state: Annotated[State, Field(description="asked: another try is due.")] = "waiting"
    since: WrittenMoment | None = None


class ReplayWanted(Body):
    reason: Text
    device: Annotated[Text | None, Field(description="Of this device alone; null: of every one.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedTold:
    """A message or part of one that was not stored, and why; device null: of nobody known."""

    id: int
    device: str | None
    site: str | None
    topic: str
    reason: str
    detail: str
    state: State
    bytes: int
    times: int
    received: datetime
    replay: datetime | None
    settled: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTold:
    """One message in quarantine; ``contents`` is null where its bytes cannot be read."""

    id: int
    device: str | None
    topic: str
    reason: str
    explanation: str
    detail: str
    epoch: str | None
    sequence: int | None
    bytes: int
    times: int
    received: datetime
    replay: datetime | None
    settled: datetime | None
    sha256: str
    contents: Contents | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """``changed``: how many messages another try was asked for that was not asked for yet."""

    waiting: int
    changed: int


@operation("GET", "/quarantine", Permission.SEE)
def quarantined(query: QuarantineAsked) -> Page[QuarantinedTold]:
    """What could not be stored, newest first."""
    database, sites = hub().database, seen_sites()
    asked = {"reason": query.reason, "device": query.device, "state": query.state}
    total = quarantine_list.count(database, asked, since=query.since, sites=sites)
    found = quarantine_list.page(
        database, asked, size=query.size, offset=query.offset, since=query.since, sites=sites
    )
    names = QuarantinedTold.__dataclass_fields__
    told = [QuarantinedTold(**{name: getattr(each, name) for name in names}) for each in found]
    return paging.told(query, told, total)


@operation("GET", "/quarantine-reasons", Permission.SEE)
def quarantine_reasons() -> Reasons:
    """What waits in quarantine by reason, with what each means and what to do."""
    return Reasons(reasons=tuple(quarantine_list.reasons(hub().database, sites=seen_sites())))


@operation("GET", f"/quarantine/{NUMBER}", Permission.SEE, of=reach.quarantined)
def quarantined_message(name: int) -> MessageTold:
    """One message in quarantine: why, since when, and what its bytes hold as far as they can be read."""
    item, contents = quarantine.show(hub().database, name)
    told = {each: getattr(item, each) for each in MessageTold.__dataclass_fields__ if each != "contents"}
    epoch = None if item.epoch is None else str(item.epoch)
    return MessageTold(**told | {"epoch": epoch}, contents=contents)


@operation("POST", f"/quarantine/{NUMBER}/replay", Permission.DATA, of=reach.quarantined)
def replay(name: int, body: Nothing) -> Replayed:
    """Ask ingest to try a message again; asked again before it has, nothing changes."""
    del body
    return Replayed(waiting=1, changed=int(replaying.replay_one(hub(), name, actor=caller().name)))


@operation("POST", "/quarantine-replays", Permission.DATA)
def replay_reason(body: ReplayWanted) -> Replayed:
    """Ask ingest to try all again that wait for a reason, at most ten thousand at a time."""
    asked = replaying.replay_all(
        hub(), body.reason, device=body.device, actor=caller().name, most=replaying.MOST
    )
    return Replayed(waiting=len(asked.numbers), changed=asked.fresh)
