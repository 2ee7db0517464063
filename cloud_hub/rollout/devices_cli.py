"""``andon device``: list the fleet, show one device whole."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.identity import endings
from cloud_hub.rollout import read, show
from cloud_hub.rollout.show import AsJson, ConfigFile, moment
from cloud_hub.store import fleet
from cloud_hub.store.database import Database, Row
from cloud_hub.terminal import printable

device_app = typer.Typer(no_args_is_help=True, help="Devices of the fleet.")

Name = Annotated[str, typer.Argument(help="The device's name.")]


@device_app.command("list")
def list_devices(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """List every device: where it is, whether it is online, what it runs."""
    with HubConfig.load(config).database(most=2) as database:
        found = fleet.devices(database)
    if as_json:
        show.as_json(found)
        return
    if not found:
        typer.echo("no devices yet: `andon device add NAME` makes a token for one")
    for device in found:
        runs = ", ".join(each.release for each in device.releases if each.release) or "no release"
        pinned = f", pinned for {', '.join(device.pins)}" if device.pins else ""
        typer.echo(f"{device.name:<24} {device.site:<16} {_standing(device):<12} {runs}{pinned}")


@device_app.command("show")
def show_device(name: Name, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Show one device: releases, update journal, gaps, what was rejected and why."""
    with HubConfig.load(config).database(most=2) as database:
        device = fleet.device(database, name)
        parts = _parts(database, name)
    if as_json:
        plain: Row = {"device": device} | parts
        show.as_json(plain)
    else:
        _print(device, parts)


def _parts(database: Database, name: str) -> Row:
    return {
        "journal": read.journal(database, name),
        "rejections": read.rejections(database, name),
        "gaps": fleet.gaps(database, device=name),
    }


def _print(device: fleet.Device, parts: Row) -> None:
    typer.echo(f"{device.name} at {device.site}, {device.profile}, {_standing(device)}")
    agent = printable(device.agent_version or "unknown")
    typer.echo(f"  agent {agent}, target {printable(device.target or 'unknown')}")
    if device.certificate_ends:
        typer.echo(f"  certificate ends {moment(device.certificate_ends)}")
    if trouble := endings.warning(device, datetime.now(UTC)):
        typer.echo(f"  warning: {trouble}")
    typer.echo(f"  last batch {moment(device.last_batch)}, last live {moment(device.last_live)}")
    typer.echo(f"  resent {device.resent}, from a backlog {device.backlog}, rejected {device.rejected}")
    show.section("machines", device.machines)
    show.section(
        "releases",
        (f"{each.use_case:<20} {each.release or 'none':<20} {each.state}" for each in device.releases),
    )
    show.section("pinned", (f"{use_case:<20} {reason}" for use_case, reason in device.pins.items()))
    show.section(
        "update journal",
        (
            f"{moment(row['time'])}  {row['release']:<20} {row['state']:<12} {row['event']} {row['reason']}"
            for row in parts["journal"]
        ),
    )
    show.section(
        "rejected",
        (
            f"{row['reason']:<24} {row['count']:>8}  waiting {row['waiting']}, last: {row['detail']}"
            for row in parts["rejections"]
        ),
    )
    show.section(
        "gaps", (f"{moment(gap.noted)}  {gap.reason:<20} {gap.machine or ''}" for gap in parts["gaps"])
    )


def _standing(device: fleet.Device) -> str:
    if device.retired:
        return "retired"
    if not device.enrolled:
        return "not enrolled"
    return "online" if device.online else "offline"
