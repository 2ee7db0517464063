"""``andon keys``: the signing keys of this hub."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cloud_hub.config import HubConfig
from cloud_hub.errors import TrustError
from cloud_hub.signing import keys
from cloud_hub.signing.keys import RoleStatus

keys_app = typer.Typer(no_args_is_help=True, help="The keys that say what devices may run.")

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON list.")]


@keys_app.command()
def init(
    offline: Annotated[Path, typer.Option(help="Where the root and targets keys go; carry it away.")],
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Make every key and the first signed metadata; existing keys are never overwritten."""
    settings = HubConfig.load(config)
    try:
        roles = keys.init(settings.state_dir, offline)
    except OSError as error:
        raise TrustError(f"the keys cannot be written: {error}") from error
    _show(roles, as_json=as_json)
    if not as_json:
        typer.echo(f"{offline} holds the root and targets keys: keep it where no network reaches.")


@keys_app.command()
def status(as_json: Json = False, config: Config = None) -> None:
    """Every role with its version, expiry and what to do about it."""
    _show(keys.status(HubConfig.load(config).state_dir), as_json=as_json)


def _show(roles: list[RoleStatus], *, as_json: bool) -> None:
    if as_json:
        rows = [asdict(role) | {"expires": role.expires.isoformat()} for role in roles]
        typer.echo(json.dumps(rows))
        return
    table = Table("role", "keys", "version", "expires", "")
    for role in roles:
        keys_needed = f"{role.threshold} of {role.keys}"
        table.add_row(role.role, keys_needed, str(role.version), f"{role.expires:%Y-%m-%d}", role.warning)
    Console().print(table)
