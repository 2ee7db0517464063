"""``andon device add``: a device's place in the fleet, and the token it enrols with, shown once."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConfigError
from cloud_hub.files import write_private
from cloud_hub.hub import Hub, opened, person
from cloud_hub.identity import devices
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.tokens import Token
from cloud_hub.store.database import Connection


def device_add(
    name: Annotated[str, typer.Argument(help="Unique in the fleet; it becomes the certificate's name.")],
    *,
    site: Annotated[str, typer.Option(help="Where it stands; made when it is new.")] = "",
    profile: Annotated[str, typer.Option(help="What kind of device it is.")] = "generic",
    zone: Annotated[str | None, typer.Option(help="IANA time zone of a new site [UTC].")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word to select devices by; repeatable.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="Write the token here, do not show it.")] = None,
    valid_hours: Annotated[float, typer.Option(min=0.01, max=720, help="How long the token lives.")] = 24.0,
    again: Annotated[bool, typer.Option("--again", help="A new token for a device that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Add a device, or with --again let one enrol anew, and print its one-time token."""
    if not again and not site:
        raise ConfigError("expected --site, the place where the device stands")
    settings = HubConfig.load(config)
    authority = Authority.of(settings.state_dir).ensure()
    lifetime = timedelta(hours=valid_hours)
    with opened(settings) as hub:
        note = _note(hub, name, {} if again else {"site": site, "profile": profile}, again=again)
        if again:
            token = devices.add_token(hub.database, authority, name=name, lifetime=lifetime, note=note)
        else:
            token = devices.add(
                hub.database,
                authority,
                name=name,
                site=site,
                profile=profile,
                zone=zone,
                tags=tag or (),
                now=hub.clock.now(),
                lifetime=lifetime,
                note=note,
            )
    _show(token, token_file, as_json=as_json)


def _note(hub: Hub, name: str, detail: dict[str, str], *, again: bool) -> devices.Note:
    """What the audit chain keeps of it: never the token."""

    def note(connection: Connection) -> None:
        action = "device.token" if again else "device.add"
        hub.record(connection, actor=person(), action=action, subject=name, detail=detail)

    return note


def _show(token: Token, token_file: Path | None, *, as_json: bool) -> None:
    if token_file is not None:
        try:
            write_private(token_file, f"{token}\n".encode())
        except OSError as error:
            raise ConfigError(f"the token cannot be written to {token_file}: {error}") from error
    if as_json:
        shown = {"token_file": str(token_file)} if token_file else {"token": str(token)}
        typer.echo(json.dumps({"device": token.device} | shown))
    elif token_file is not None:
        typer.echo(f"{token.device}: token in {token_file}; enrol with `andon edge enroll --token-file`")
    else:
        typer.echo(str(token))
