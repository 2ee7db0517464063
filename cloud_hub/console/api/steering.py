"""Starting a rollout, and what people do to one: the calls of the console's forms and ``andon rollout``."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from flask import url_for
from pydantic import Field, StringConstraints

from cloud_hub.console import acting, reach
from cloud_hub.console.api.asked import Body, Note, RefusedError
from cloud_hub.console.api.operation import operation
from cloud_hub.console.here import caller, hub
from cloud_hub.identity.people.permissions import Permission, roles_with
from cloud_hub.rollout.arguments import approvals
from cloud_hub.rollout.plan import LONGEST_HOURS, Late, Plan, PlanError, Selector, Silent, Wave, parse_windows
from cloud_hub.rollout.selection import Candidate

MOST_NAMES, MOST_WAVES = 200, 50
SHOWN = 100  # devices of a wave, by name

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

    def plan(self) -> Plan:
        """``PlanError`` says what contradicts itself."""
        before = ["all"] if self.approve_before == "all" else list(map(str, self.approve_before))
        return Plan(
            release=self.release,
            use_case=self.release.rpartition("/")[0],
            waves=tuple(map(Wave.parse, self.waves)),
            selector=Selector(**dict(self.select)),
            tolerated=self.tolerated,
            succeed=self.succeed,
            soak_hours=self.soak_hours,
            timeout_hours=self.timeout_hours,
            silent=Silent(self.silent),
            late=Late(self.late),
            at_once=self.at_once,
            windows=parse_windows(self.windows),
            approve_before=approvals(before, len(self.waves)),
            four_eyes=self.four_eyes,
        )


class Start(PlanAsked):
    supersede: Annotated[
        bool, Field(description="End the rollout in the way; takes rollout.steer at every site.")
    ] = False


class Reasoned(Body):
    reason: Reason


class MaybeReasoned(Body):
    reason: Note = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    device: str
    site: str
    zone: str  # IANA


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
    """What a plan would do if it started now; ``opens``: by time zone, when devices there may be changed."""

    release: str
    devices: int
    waves: tuple[WaveAhead, ...]
    left_out: tuple[LeftOut, ...]
    left_out_total: int
    opens: dict[str, datetime]


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
    plan = _allowed(body)
    found = hub().rollouts.preview(plan)
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
        release=found.release,
        devices=len(found.devices),
        waves=waves,
        left_out=tuple(
            LeftOut(device=each.name, site=each.site, why=f"{each.why}: {each.detail}".rstrip(": "))
            for each in found.left_out[:SHOWN]
        ),
        left_out_total=len(found.left_out),
        opens=found.opens,
    )


@operation("POST", "/rollouts", Permission.START, status=201)
def start(body: Start) -> Started:
    """Begin a rollout; its first wave opens within seconds.

    Refused while another rollout of the use case directs one of the devices: sent twice, the second
    starts nothing.
    """
    plan = _allowed(body)
    if body.supersede and caller().rights.sites(Permission.STEER) is not None:
        raise RefusedError(403, "To end the rollout in the way takes rollout.steer at every site.")
    rollout = hub().rollouts.start(plan, actor=caller().name, supersede=body.supersede)
    return Started(rollout=rollout, url=url_for("api.rollout", name=rollout))


@operation("POST", "/rollouts/<name>/approve", acting.NEEDED["approve"], of=reach.rollout)
def approve(name: str, body: MaybeReasoned) -> Acted:
    """Let the wave open that awaits approval, and no other."""
    return _act(name, "approve", body.reason)


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


def _act(name: str, act: str, reason: str) -> Acted:
    said = acting.act_on(name, act, reason)
    row = hub().database.row("SELECT state FROM rollout WHERE id = %(name)s", {"name": name})
    return Acted(rollout=name, state=row["state"] if row else "", said=said)


def _allowed(body: PlanAsked) -> Plan:
    """The plan, if it means devices at no other sites than those at which the caller may start rollouts.

    What may come to match while it runs is named by its sites alone, so whoever may not start one at
    every site has to name some.
    """
    try:
        plan = body.plan()
    except PlanError as error:
        raise RefusedError(422, f"The plan contradicts itself: {error}.") from error
    mine = caller().rights.sites(Permission.START)
    if mine is None or (plan.selector.sites and mine.issuperset(plan.selector.sites)):
        return plan
    roles = " or ".join(roles_with(Permission.START))
    where = ", ".join(sorted(mine))
    raise RefusedError(403, f"The plan takes the role {roles} at its sites: name them, of {where}.")


def _place(device: Candidate) -> Place:
    return Place(device=device.name, site=device.site, zone=device.zone)
