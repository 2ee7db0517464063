"""Starting a rollout, and what people do to one: the calls of the console's forms and ``andon rollout``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from flask import url_for
from pydantic import Field, StringConstraints

from cloud_hub.console import reach
from cloud_hub.console.api.asked import Body, Note, RefusedError
from cloud_hub.console.api.operation import operation
from cloud_hub.console.here import hub
from cloud_hub.console.rollouts import acting, starting
from cloud_hub.console.rollouts.starting import DraftError
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.rollout.drafts import LISTS, YES, Draft
from cloud_hub.rollout.plan import LONGEST_HOURS
from cloud_hub.rollout.selection import Candidate

MOST_NAMES, MOST_WAVES = 200, 50
SHOWN = 100  # devices of a wave, by name
# Fields of a draft that are called otherwise here.
FIELDS = {
    "soak": "soak_hours",
    "timeout": "timeout_hours",
    "tolerate": "tolerated",
    "approve": "approve_before",
    **{one: f"select.{many}" for one, many in LISTS.items()},
}

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST_NAMES)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Chosen(Body):
    """Devices that match every list that is not empty; all empty: the whole fleet."""

    sites: Names = ()
    tags: Names = ()
    profiles: Names = ()
    targets: Names = ()
    devices: Names = ()


class PlanAsked(Body):
    """What ``andon rollout start`` takes; hours are those of the hub's clock."""

    release: Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00/\s]+/[0-9]{1,9}$")]
    select: Chosen = Chosen()
    waves: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?%?$")], ...],
        Field(min_length=1, max_length=MOST_WAVES, description="How far each reaches, as 1 or 50%."),
    ] = ("1", "50%", "100%")
    soak_hours: Annotated[float, Field(ge=0, le=LONGEST_HOURS)] = 0.0
    timeout_hours: Annotated[float, Field(gt=0, le=LONGEST_HOURS)] = 24.0
    tolerated: Annotated[Share, Field(lt=1, description="Share of a wave that may fail.")] = 0.0
    succeed: Annotated[
        Share | None, Field(description="Share whose commits open the next wave; null: all that answer.")
    ] = None
    silent: Literal["fail", "skip"] = "fail"
    late: Literal["join", "leave"] = "join"
    at_once: Annotated[int | None, Field(ge=1, le=10**9)] = None
    windows: Annotated[
        tuple[Name, ...],
        Field(max_length=50, description="In each site's time, as `sat,sun 02:00-06:00`."),
    ] = ()
    approve_before: Annotated[
        tuple[Annotated[int, Field(ge=1, le=MOST_WAVES)], ...] | Literal["all"], Field()
    ] = ()
    four_eyes: bool = False
    supersede: Annotated[
        bool, Field(description="End rollouts in the way; takes rollout.steer at every site of theirs.")
    ] = False

    def draft(self) -> Draft:
        """The same as the console's form has it, so that both are read and checked alike."""
        before = "all" if self.approve_before == "all" else ", ".join(map(str, self.approve_before))
        texts = {
            "release": self.release,
            "waves": ", ".join(self.waves),
            "soak": f"{self.soak_hours:.9f}",
            "timeout": f"{self.timeout_hours:.9f}",
            "tolerate": repr(self.tolerated),
            "succeed": "" if self.succeed is None else repr(self.succeed),
            "silent": self.silent,
            "late": self.late,
            "at_once": "" if self.at_once is None else str(self.at_once),
            "windows": "\n".join(self.windows),
            "approve": before,
            "four_eyes": YES if self.four_eyes else "",
            "supersede": YES if self.supersede else "",
        }
        lists = {one: getattr(self.select, many) for one, many in LISTS.items()}
        return Draft.of({name: [text] for name, text in texts.items()} | lists)


class Start(PlanAsked):
    seal: Annotated[Note, Field(description="Of a preview: just what was seen there starts, and once.")] = ""


class Reasoned(Body):
    reason: Reason


class MaybeReasoned(Body):
    reason: Note = ""


class Widening(MaybeReasoned):
    wave: Annotated[
        int | None,
        Field(ge=1, le=10**9, description="The one that was looked at; null: whichever awaits approval."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """``runs`` is the release of the use case that the device runs now."""

    device: str
    site: str
    zone: str  # IANA
    runs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    device: str
    site: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveAhead:
    """A wave with how many devices it adds, and the first hundred of them."""

    wave: int
    size: int
    awaits_approval: bool
    devices: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What a plan would do if it started now; ``opens``: by time zone, when devices there may be changed.

    ``blocked``: rollouts in the way let nothing start. ``seal`` says it all in a line, to start just this.
    """

    rollout: str  # the name it would get
    release: str
    devices: int
    waves: tuple[WaveAhead, ...]
    left_out: tuple[LeftOut, ...]
    left_out_total: int
    opens: dict[str, datetime]
    in_the_way: tuple[str, ...]
    blocked: bool
    seal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    rollout: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    rollout: str
    state: str
    said: str


@operation("POST", "/rollout-previews", Permission.START)
def preview(body: PlanAsked) -> Ahead:
    """What a plan would do if it started now: who is in which wave, who is left out and why, from when on."""
    with _named():
        asked = starting.foresee(body.draft())
    found = asked.ahead
    waves = tuple(
        WaveAhead(
            wave=wave,
            size=len(devices),
            awaits_approval=wave in found.approvals,
            devices=tuple(map(_place, devices[:SHOWN])),
        )
        for wave, devices in found.members()
    )
    return Ahead(
        rollout=found.rollout,
        release=found.release,
        devices=len(found.devices),
        waves=waves,
        left_out=tuple(
            LeftOut(device=each.name, site=each.site, why=f"{each.why}: {each.detail}".rstrip(": "))
            for each in found.left_out[:SHOWN]
        ),
        left_out_total=len(found.left_out),
        opens=found.opens,
        in_the_way=tuple(each.id for each in found.others),
        blocked=asked.blocked,
        seal=found.seal,
    )


@operation("POST", "/rollouts", Permission.START, status=201)
def start(body: Start) -> Started:
    """Begin a rollout; its first wave opens within seconds.

    With the seal of a preview, just what was seen there or nothing; without one, what a preview would show
    now. Sent twice, the second starts nothing.
    """
    draft = body.draft()
    with _named():
        rollout = starting.begin(draft, body.seal or starting.foresee(draft).ahead.seal)
    return Started(rollout=rollout, url=url_for("api.rollout", name=rollout))


@operation("POST", "/rollouts/<name>/approve", acting.NEEDED["approve"], of=reach.rollout)
def approve(name: str, body: Widening) -> Acted:
    """Let the wave open that awaits approval, and no other.

    With ``wave``, only that one: sent twice, the second never opens the wave after it.
    """
    return _act(name, "approve", body.reason, wave=body.wave)


@operation("POST", "/rollouts/<name>/pause", acting.NEEDED["pause"], of=reach.rollout)
def pause(name: str, body: Reasoned) -> Acted:
    """Open no further wave until resumed; devices already offered go on."""
    return _act(name, "pause", body.reason)


@operation("POST", "/rollouts/<name>/resume", acting.NEEDED["resume"], of=reach.rollout)
def resume(name: str, body: MaybeReasoned) -> Acted:
    """Go on with a paused rollout."""
    return _act(name, "resume", body.reason)


@operation("POST", "/rollouts/<name>/abort", acting.NEEDED["abort"], of=reach.rollout)
def abort(name: str, body: Reasoned) -> Acted:
    """End it: nobody else is offered the release, those that have it keep it."""
    return _act(name, "abort", body.reason)


@operation("POST", "/rollouts/<name>/undo", acting.NEEDED["undo"], of=reach.rollout)
def undo(name: str, body: Reasoned) -> Acted:
    """End it and send every device it was offered to back to the release it had before."""
    return _act(name, "undo", body.reason)


def _act(name: str, act: str, reason: str, *, wave: int | None = None) -> Acted:
    said = acting.act_on(name, act, reason, wave=wave)
    row = hub().database.row("SELECT state FROM rollout WHERE id = %(name)s", {"name": name})
    return Acted(rollout=name, state=row["state"] if row else "", said=said)


@contextmanager
def _named() -> Iterator[None]:
    """What is wrong with a draft, by the names that fields have here."""
    try:
        yield
    except DraftError as error:
        faults = {FIELDS.get(name, name): sentence for name, sentence in error.faults.items()}
        told = " ".join(f"{name}: {text}" if name else text for name, text in faults.items())
        raise RefusedError(422 if error.status == 400 else error.status, told) from error


def _place(device: Candidate) -> Place:
    return Place(device=device.name, site=device.site, zone=device.zone, runs=device.runs)
