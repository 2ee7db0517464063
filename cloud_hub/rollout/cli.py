"""``andon rollout``: send a release to the fleet, watch it, stop it."""

from typing import Annotated, NoReturn

import typer

from cloud_hub.config import HubConfig
from cloud_hub.hub import opened, person
from cloud_hub.rollout import arguments as words
from cloud_hub.rollout import read, show
from cloud_hub.rollout.devices_cli import device_app
from cloud_hub.rollout.pins_cli import pin, unpin
from cloud_hub.rollout.plan import Late, Plan, Selector, Silent, Wave, parse_windows
from cloud_hub.rollout.show import AsJson, ConfigFile
from cloud_hub.rollout.watching import follow
from cloud_hub.store.database import Database

__all__ = ["device_app", "rollout_app"]

rollout_app = typer.Typer(no_args_is_help=True, help="Send releases to the fleet in waves.")
device_app.command("pin")(pin)
device_app.command("unpin")(unpin)

SHOWN = 20  # devices, unless all are asked for
WAVES = ("1", "50%", "100%")

Id = Annotated[str, typer.Argument(help="Such as motor-health-3.1.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the audit chain.")]


@rollout_app.command()
def start(
    release: Annotated[str, typer.Argument(help="Such as motor-health/3.")],
    *,
    wave: words.Waves = None,
    soak: words.Soak = 0.0,
    timeout: words.Timeout = 24.0,
    tolerate: words.Tolerate = "0",
    succeed: words.Succeed = None,
    silent: words.IfSilent = Silent.FAIL,
    late: words.IfLate = Late.JOIN,
    at_once: words.AtOnce = None,
    window: words.Windows = None,
    approve_before: words.ApproveBefore = None,
    four_eyes: words.FourEyes = False,
    site: words.Sites = None,
    tag: words.Tags = None,
    profile: words.Profiles = None,
    target: words.Targets = None,
    device: words.Devices = None,
    supersede: words.Supersede = False,
    dry_run: words.DryRun = False,
    watch: words.Watch = False,
    until_approval: words.UntilApproval = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Offer RELEASE to the fleet, one wave of devices at a time. Hours are those of the hub's clock."""
    lists = {"sites": site, "tags": tag, "profiles": profile, "targets": target, "devices": device}
    waves = tuple(map(Wave.parse, wave or WAVES))
    plan = Plan(
        release=release,
        use_case=release.rpartition("/")[0],
        waves=waves,
        selector=Selector(**{name: tuple(values or ()) for name, values in lists.items()}),
        tolerated=words.share(tolerate),
        succeed=None if succeed is None else words.share(succeed),
        soak_hours=soak,
        timeout_hours=timeout,
        silent=silent,
        late=late,
        at_once=at_once,
        windows=parse_windows(window or ()),
        approve_before=words.approvals(approve_before or (), len(waves)),
        four_eyes=four_eyes,
    )
    with opened(HubConfig.load(config)) as hub:
        if dry_run:
            show.preview(hub.rollouts.preview(plan), as_json=as_json)
            return
        started = hub.rollouts.start(plan, actor=person(), supersede=supersede)
        if watch or until_approval:
            _follow(hub.database, started, as_json=as_json, until_approval=until_approval)
        _tell_start(hub.database, started, as_json=as_json)


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
    *,
    watch: words.Watch = False,
    until_approval: words.UntilApproval = False,
    all_devices: Annotated[
        bool, typer.Option("--all", help=f"List every device, not only the first {SHOWN}.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show one rollout: its waves, its devices, and why it stands where it stands.

    Devices that failed come first. With --json every device is listed; with --json --watch each change is one
    object on a line of its own, without devices.
    """
    with HubConfig.load(config).database(most=2) as database:
        if watch or until_approval:
            _follow(database, rollout, as_json=as_json, until_approval=until_approval)
        most = None if all_devices or as_json else SHOWN
        detail = read.rollout(database, rollout, most=most)
    if as_json:
        show.as_json(detail)
    else:
        show.rollout(detail)


@rollout_app.command()
def approve(rollout: Id, reason: Reason = "", as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Let the wave open that awaits approval, and no other."""
    with opened(HubConfig.load(config)) as hub:
        hub.rollouts.approve(rollout, actor=person(), reason=reason)
        _tell(hub.database, rollout, quiet=as_json)


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


def _follow(database: Database, rollout: str, *, as_json: bool, until_approval: bool) -> NoReturn:
    ended = follow(database, rollout, as_json=as_json, until_approval=until_approval)
    if not as_json:
        show.rollout(read.rollout(database, rollout, most=SHOWN))
    raise typer.Exit(ended)


def _tell_start(database: Database, rollout: str, *, as_json: bool) -> None:
    if as_json:
        show.as_json(read.rollout(database, rollout))
    else:
        found = read.summary(database, rollout).rollout
        typer.echo(f"rollout {found.id}: {found.release} to {found.devices} devices in {found.waves} waves")


def _tell(database: Database, rollout: str, *, quiet: bool) -> None:
    """What became of a rollout by an act."""
    found = read.summary(database, rollout).rollout
    if quiet:
        show.as_json(found)
    else:
        typer.echo(f"rollout {found.id} is {found.state}")
