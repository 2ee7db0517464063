"""``andon rollout``: send a release to the fleet, watch it, stop it."""

import time
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.hub import opened, person
from cloud_hub.rollout import read, show
from cloud_hub.rollout.devices_cli import device_app
from cloud_hub.rollout.plan import Plan, PlanError, Selector, Silent, Wave
from cloud_hub.rollout.show import AsJson, ConfigFile
from cloud_hub.rollout.states import COMMITTED, SETTLED, UNOFFERED
from cloud_hub.store.database import Database

__all__ = ["device_app", "rollout_app"]

rollout_app = typer.Typer(no_args_is_help=True, help="Send releases to the fleet in waves.")

STOPPED = 3  # exit status of a watched rollout that did not end well
LOOK_S = 0.5

Id = Annotated[str, typer.Argument(help="Such as motor-health-3.1.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the audit chain.")]
Names = list[str] | None


@rollout_app.command()
def start(
    release: Annotated[str, typer.Argument(help="Such as motor-health/3.")],
    *,
    wave: Annotated[
        Names, typer.Option(help="How far it reaches, as 1 or 50%; repeatable [1, 50%, 100%].")
    ] = None,
    soak: Annotated[float, typer.Option(help="Hours between a wave's last answer and the next wave.")] = 0.0,
    timeout: Annotated[float, typer.Option(help="Hours until a device without an answer is silent.")] = 24.0,
    tolerate: Annotated[str, typer.Option(help="Share of a wave that may fail, as 0.05 or 5%.")] = "0",
    silent: Annotated[Silent, typer.Option(help="What a silent device counts as.")] = Silent.FAIL,
    site: Annotated[Names, typer.Option(help="Devices of this site; repeatable.")] = None,
    tag: Annotated[Names, typer.Option(help="Devices with this tag; repeatable.")] = None,
    profile: Annotated[Names, typer.Option(help="Devices of this profile; repeatable.")] = None,
    device: Annotated[Names, typer.Option(help="This device; repeatable.")] = None,
    supersede: Annotated[bool, typer.Option("--supersede", help="End the rollout in the way.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Offer RELEASE to the fleet, one wave of devices at a time. Hours are those of the hub's clock."""
    lists = {"sites": site, "tags": tag, "profiles": profile, "devices": device}
    plan = Plan(
        release=release,
        use_case=release.rpartition("/")[0],
        waves=tuple(map(Wave.parse, wave or ("1", "50%", "100%"))),
        selector=Selector(**{name: tuple(values or ()) for name, values in lists.items()}),
        tolerated=_share(tolerate),
        soak_hours=soak,
        timeout_hours=timeout,
        silent=silent,
    )
    with opened(HubConfig.load(config)) as hub:
        started = hub.rollouts.start(plan, actor=person(), supersede=supersede)
        detail = read.rollout(hub.database, started)
    if as_json:
        show.as_json(detail)
    else:
        found = detail.rollout
        typer.echo(f"rollout {found.id}: {release} to {found.devices} devices in {found.waves} waves")


@rollout_app.command("list")
def list_rollouts(
    most: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List rollouts, newest first."""
    with HubConfig.load(config).database(most=2) as database:
        found = read.rollouts(database, most=most)
    if as_json:
        show.as_json(found)
        return
    if not found:
        typer.echo("no rollouts yet: `andon rollout start RELEASE` begins one")
    for each in found:
        waves = f"wave {each.wave} of {each.waves}"
        typer.echo(f"{each.id:<28} {each.state:<8} {waves:<12} {each.devices:>5} devices  {each.reason}")


@rollout_app.command()
def status(
    rollout: Id,
    watch: Annotated[
        bool, typer.Option("--watch", help="Until it ends; exit status 0 if done, 3 if stopped.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show one rollout: its waves, its devices, and why it stands where it stands."""
    with HubConfig.load(config).database(most=2) as database:
        detail = _watch(database, rollout, quiet=as_json) if watch else read.rollout(database, rollout)
    if as_json:
        show.as_json(detail)
    else:
        show.rollout(detail)
    if watch and not _ended_well(detail):
        raise typer.Exit(STOPPED)


@rollout_app.command()
def pause(rollout: Id, reason: Reason, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Open no further wave until resumed."""
    with opened(HubConfig.load(config)) as hub:
        hub.rollouts.pause(rollout, actor=person(), reason=reason)
        _tell(hub.database, rollout, quiet=as_json)


@rollout_app.command()
def resume(rollout: Id, reason: Reason = "", as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Go on with a paused rollout."""
    with opened(HubConfig.load(config)) as hub:
        hub.rollouts.resume(rollout, actor=person(), reason=reason)
        _tell(hub.database, rollout, quiet=as_json)


@rollout_app.command()
def abort(rollout: Id, reason: Reason, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """End it: nobody else is offered the release; devices that have it keep it."""
    with opened(HubConfig.load(config)) as hub:
        hub.rollouts.abort(rollout, actor=person(), reason=reason)
        _tell(hub.database, rollout, quiet=as_json)


@rollout_app.command()
def undo(rollout: Id, reason: Reason, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """End it and send every device it was offered to back to the release it had before."""
    with opened(HubConfig.load(config)) as hub:
        hub.rollouts.undo(rollout, actor=person(), reason=reason)
        _tell(hub.database, rollout, quiet=as_json)


def _tell(database: Database, rollout: str, *, quiet: bool) -> None:
    """What became of a rollout by an act."""
    found = read.rollout(database, rollout).rollout
    if quiet:
        show.as_json(found)
    else:
        typer.echo(f"rollout {found.id} is {found.state}")


def _watch(database: Database, rollout: str, *, quiet: bool) -> read.RolloutDetail:
    """Look until it has ended, and say what changed."""
    told = ""
    while True:
        detail = read.rollout(database, rollout)
        line = show.line(detail)
        if line != told and not quiet:
            typer.echo(line)
        told = line
        if _ended(detail):
            return detail
        time.sleep(LOOK_S)


def _ended(detail: read.RolloutDetail) -> bool:
    """An undone rollout has ended once every device is back, or will not be."""
    if detail.rollout.state == "undone":
        return all(device.state in SETTLED | UNOFFERED for device in detail.devices)
    return detail.rollout.state in ("done", "halted", "aborted")


def _ended_well(detail: read.RolloutDetail) -> bool:
    if detail.rollout.state == "undone":
        return all(device.state == COMMITTED for device in detail.devices if device.mode == "undo")
    return detail.rollout.state == "done"


def _share(text: str) -> float:
    number, percent = text.removesuffix("%"), text.endswith("%")
    try:
        return float(number) / (100 if percent else 1)
    except ValueError as error:
        raise PlanError(f"expected a share such as 0.05 or 5%, got {text!r}") from error
