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
from cloud_hub.signing import acts_cli, keys, offline_cli, passphrase
from cloud_hub.signing.director_cli import director_app
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.offline_cli import Config, Json, PassphraseFile
from cloud_hub.signing.standing import RoleStatus

keys_app = typer.Typer(no_args_is_help=True, help="The keys that say what devices may run.")


@keys_app.command()
def init(
    offline: Annotated[Path, typer.Option(help="Where the root and targets keys go; carry it away.")],
    engine_target: Annotated[
        list[str] | None, typer.Option(help="Make a key for shared engines of this compile target, too.")
    ] = None,
    offline_passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Make every key and the first signed metadata; existing keys are never overwritten.

    A passphrase file that is not there yet is made, with a random passphrase.
    """
    settings = HubConfig.load(config)
    targets = [acts_cli.known_target(name) for name in engine_target or ()]
    made = offline_passphrase_file is not None and passphrase.make(offline_passphrase_file)
    secret = offline_cli.secret(offline_passphrase_file, new=True)
    secret()  # asked for, or refused, before anything is made
    try:
        roles = keys.init(
            settings.state_dir,
            offline,
            engine_targets=targets,
            offline_secret=secret,
            settings=settings.signing,
        )
    except OSError as error:
        raise TrustError(f"the keys cannot be written: {error}") from error
    _show(roles, as_json=as_json)
    if not as_json:
        typer.echo(f"{offline} holds the root and targets keys: keep it where no network reaches.")
        if made:
            typer.echo(
                f"{offline_passphrase_file} was made and opens them: keep it in another place than they."
            )
        typer.echo(_about(passphrase.online_place(settings.state_dir, settings.signing), settings.state_dir))


@keys_app.command()
def status(as_json: Json = False, config: Config = None) -> None:
    """Every role with its version, expiry and what to do about it. Exit 1 where something has expired."""
    settings = HubConfig.load(config)
    roles = keys.status(settings.state_dir, settings=settings.signing)
    _show(roles, as_json=as_json)
    raise typer.Exit(1 if any(role.expired for role in roles) else 0)


@keys_app.command()
def encrypt(
    offline: Annotated[
        Path | None, typer.Option(help="Seal the root and targets keys there instead.")
    ] = None,
    offline_passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Seal private keys that an older version left as they are, where they lie."""
    settings = HubConfig.load(config)
    if offline is not None:
        ring = Keyring(offline, offline_cli.secret(offline_passphrase_file, new=True))
    else:
        passphrase.make(passphrase.online_place(settings.state_dir, settings.signing))
        ring = Keyring.online(settings.state_dir, settings.signing)
    sealed = [file.name for file in ring.seal()]
    if sealed:
        offline_cli.record(settings, "keys.encrypt", str(ring.folder), {"files": sealed})
    said = f"sealed {', '.join(sealed)}" if sealed else f"every key in {ring.folder} is sealed already"
    offline_cli.tell({"sealed": sealed}, [said], as_json=as_json)


keys_app.add_typer(director_app, name="director")
for _command in (acts_cli.rotate, acts_cli.revoke, acts_cli.renew, acts_cli.delegate):
    keys_app.command()(_command)


def _about(place: Path, state_dir: Path) -> str:
    if not place.is_relative_to(state_dir):
        return f"The online keys are sealed with the passphrase in {place}, which no backup of the hub holds."
    return (
        f"The online keys are sealed with the passphrase in {place}. While it lies beside them it keeps "
        "nobody out: to protect a stolen disk or backup move it away, and name its new place by "
        "signing.passphrase_file in hub.toml, or by LoadCredential=andon-keys:FILE in the hub's unit."
    )


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
