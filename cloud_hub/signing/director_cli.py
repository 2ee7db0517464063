"""``andon keys director``: who may direct which use cases and sites."""

import json
from pathlib import Path
from typing import Annotated

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from rich.console import Console
from rich.table import Table
from securesystemslib.signer import SSlibKey

from cloud_hub.config import HubConfig
from cloud_hub.errors import TrustError
from cloud_hub.signing import directors
from cloud_hub.signing.director import Director
from cloud_hub.signing.keyring import raw_ed25519
from cloud_hub.signing.offline_cli import Config, Json, Offline, PassphraseFile, opened, record, tell
from cloud_hub.signing.repository import Repository
from wire.directive import EVERY
from wire.directive import Director as Listed

director_app = typer.Typer(no_args_is_help=True, help="Who may direct devices.")

UseCases = Annotated[list[str] | None, typer.Option("--use-case", help="May direct this one; default every.")]
Sites = Annotated[list[str] | None, typer.Option("--site", help="May direct devices there; default every.")]


@director_app.command("list")
def list_directors(as_json: Json = False, config: Config = None) -> None:
    """Every director that devices obey."""
    settings = HubConfig.load(config)
    own = _own(settings)
    rows = [
        {
            "key_id": row.director.key_id,
            "use_cases": row.director.use_cases,
            "sites": row.director.sites,
            "own": row.director.key_id == own,
            "leaves": row.leaves.isoformat() if row.leaves else None,
        }
        for row in directors.listed(Repository.of(settings))
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table("director", "use cases", "sites", "")
    for row in rows:
        note = (
            "this hub" if row["own"] else f"replaced, remove after {row['leaves']}" if row["leaves"] else ""
        )
        table.add_row(str(row["key_id"])[:12], _joined(row["use_cases"]), _joined(row["sites"]), note)
    Console().print(table)


@director_app.command()
def add(
    public_key: Annotated[Path, typer.Argument(help="The director's public key, Ed25519, PEM.")],
    *,
    offline: Offline,
    use_case: UseCases = None,
    site: Sites = None,
    offline_passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Let another director direct; one that is listed already gets this scope instead of its own."""
    settings = HubConfig.load(config)
    director = Listed(
        public_key=_read(public_key), use_cases=tuple(use_case or [EVERY]), sites=tuple(site or [EVERY])
    )
    directors.add(opened(settings, offline, offline_passphrase_file), director)
    scope = {"use_cases": list(director.use_cases), "sites": list(director.sites)}
    record(settings, "keys.director.add", director.key_id, scope)
    said = f"{director.key_id[:12]} may direct {_joined(director.use_cases)} at {_joined(director.sites)}"
    tell({"key_id": director.key_id, **scope}, [said, f"carry {offline} away again"], as_json=as_json)


@director_app.command()
def remove(
    key_id: Annotated[str, typer.Argument(help="The beginning of its id, as `list` shows it.")],
    *,
    offline: Offline,
    offline_passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Take a director off the list: devices obey it no more."""
    settings = HubConfig.load(config)
    director = directors.remove(opened(settings, offline, offline_passphrase_file), key_id)
    record(settings, "keys.director.remove", director.key_id, {})
    said = f"{director.key_id[:12]} directs nobody any more"
    tell({"key_id": director.key_id}, [said, f"carry {offline} away again"], as_json=as_json)


def _own(settings: HubConfig) -> str:
    try:
        return Director.of(settings).key_id
    except TrustError:
        return ""  # `andon keys status` says what is wrong with it


def _read(file: Path) -> str:
    try:
        return raw_ed25519(SSlibKey.from_crypto(load_pem_public_key(file.read_bytes())))
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise TrustError(f"{file} cannot be read as a public key: {error}") from error


def _joined(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, tuple) and names != (EVERY,) else "every"
