"""``andon device add``: a device's place in the fleet, or a file of them, and the tokens they enrol with."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConfigError
from cloud_hub.files import write_private
from cloud_hub.hub import Hub, opened, person
from cloud_hub.identity import devices, fleet_file
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.devices import NewDevice
from cloud_hub.identity.tokens import Token
from cloud_hub.store.database import Connection


def device_add(
    name: Annotated[
        str,
        typer.Argument(help="Unique in the fleet; the certificate's name.", show_default=False),
    ] = "",
    *,
    site: Annotated[str, typer.Option(help="Where it stands; made when it is new.")] = "",
    profile: Annotated[str, typer.Option(help=f"What kind of device; {devices.PROFILE} if left out.")] = "",
    zone: Annotated[str | None, typer.Option(help="IANA time zone of a new site [UTC].")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word to select devices by; repeatable.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="Write the token here, do not show it.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", help="CSV with a header: name,site,profile,tags,zone; tags with ; between."),
    ] = None,
    tokens_file: Annotated[
        Path | None, typer.Option(help='With --from: the tokens go here, {"device", "token"} a line.')
    ] = None,
    valid_hours: Annotated[float, typer.Option(min=0.01, max=720, help="How long the token lives.")] = 24.0,
    again: Annotated[bool, typer.Option("--again", help="A new token for a device that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Add a device (--again: let one enrol anew) and print its one-time token; or add a file of devices."""
    lifetime = timedelta(hours=valid_hours)
    settings = HubConfig.load(config)
    if file is not None:
        if name or site or profile or zone or tag or token_file or again:
            raise ConfigError(
                "with --from, the file says all there is to say of the devices: only --tokens-file"
            )
        _add_file(settings, file, tokens_file, lifetime, as_json=as_json)
    elif not name or tokens_file:
        raise ConfigError("expected the NAME of a device, or --from FILE and --tokens-file FILE")
    elif again:
        _show(_add_token(settings, name, lifetime), token_file, as_json=as_json)
    else:
        tags = tuple(tag or ())
        new = NewDevice(name=name, site=site, profile=profile or devices.PROFILE, zone=zone, tags=tags)
        _show(_add(settings, new, lifetime), token_file, as_json=as_json)


def _add(settings: HubConfig, new: NewDevice, lifetime: timedelta) -> Token:
    if not new.site:
        raise ConfigError("expected --site, the place where the device stands")
    authority = Authority.of(settings.state_dir).ensure()
    with opened(settings) as hub:
        note = _note(hub, "device.add", new.name, {"site": new.site, "profile": new.profile})
        (token,) = devices.add_all(
            hub.database, authority, [new], now=hub.clock.now(), lifetime=lifetime, note=note
        )
    return token


def _add_token(settings: HubConfig, name: str, lifetime: timedelta) -> Token:
    authority = Authority.of(settings.state_dir).ensure()
    with opened(settings) as hub:
        note = _note(hub, "device.token", name, {})
        return devices.add_token(hub.database, authority, name=name, lifetime=lifetime, note=note)


def _add_file(
    settings: HubConfig, file: Path, tokens_file: Path | None, lifetime: timedelta, *, as_json: bool
) -> None:
    if tokens_file is None:
        raise ConfigError("expected --tokens-file, where the tokens of the new devices go")
    if tokens_file.exists():
        raise ConfigError(f"{tokens_file} is there already, and may hold tokens that are still needed")
    new = _read(file)
    authority = Authority.of(settings.state_dir).ensure()

    def keep(made: Sequence[Token]) -> None:
        lines = (json.dumps({"device": token.device, "token": str(token)}) for token in made)
        _write(tokens_file, "".join(f"{line}\n" for line in lines))

    with opened(settings) as hub:
        note = _note(hub, "device.add", file.name, {"devices": len(new)})
        devices.add_all(
            hub.database, authority, new, now=hub.clock.now(), lifetime=lifetime, keep=keep, note=note
        )
    if as_json:
        typer.echo(json.dumps({"devices": len(new), "tokens_file": str(tokens_file)}))
    else:
        typer.echo(f"added {len(new)} devices; their tokens are in {tokens_file}")


def _read(file: Path) -> list[NewDevice]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found = fleet_file.parse(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    if not found:
        raise ConfigError(f"{file} names no device below its header")
    return found


def _note(hub: Hub, action: str, subject: str, detail: dict[str, Any]) -> devices.Note:
    """What the audit chain keeps of it: never the token."""

    def note(connection: Connection) -> None:
        hub.record(connection, actor=person(), action=action, subject=subject, detail=detail)

    return note


def _show(token: Token, token_file: Path | None, *, as_json: bool) -> None:
    if token_file is not None:
        _write(token_file, f"{token}\n")
    if as_json:
        shown = {"token_file": str(token_file)} if token_file else {"token": str(token)}
        typer.echo(json.dumps({"device": token.device} | shown))
    elif token_file is not None:
        typer.echo(f"{token.device}: token in {token_file}; enrol with `andon edge enroll --token-file`")
    else:
        typer.echo(str(token))


def _write(file: Path, text: str) -> None:
    try:
        write_private(file, text.encode())
    except OSError as error:
        raise ConfigError(f"the token cannot be written to {file}: {error}") from error
