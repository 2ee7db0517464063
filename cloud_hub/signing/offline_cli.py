"""What the commands that need the offline keys share: their directory, their passphrase, who did it."""

import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConfigError, UnreachableError
from cloud_hub.signing import passphrase
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.passphrase import Secret
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.standing import note_offline

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Offline = Annotated[
    Path,
    typer.Option(help="The directory of the root and targets keys, brought for this.", show_default=False),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--offline-passphrase-file",
        help="A file whose first line opens the offline keys; without it the terminal asks.",
    ),
]


def secret(file: Path | None, *, new: bool = False) -> Secret:
    """The passphrase of the offline keys: asked for once, and only where it is needed."""
    return functools.cache(lambda: passphrase.read(file) if file else _asked(new=new))


def opened(config: HubConfig, folder: Path, file: Path | None) -> Repository:
    """The hub's repository with the offline keys at hand."""
    if not any(folder.glob("*.pem")):
        raise ConfigError(f"{folder} holds no keys: name the directory that `andon keys init --offline` made")
    note_offline(config.state_dir, folder)
    return Repository.of(config, offline=Keyring(folder, secret(file)))


def record(config: HubConfig, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Write into the audit chain who did it; the act stands where no database is there to hear of it."""
    from cloud_hub.hub import person, recorder  # noqa: PLC0415 - brings every stage

    try:
        with config.database(most=1) as database, database.transaction() as connection:
            recorder(config.time())(connection, actor=person(), action=action, subject=subject, detail=detail)
    except UnreachableError as error:
        typer.echo(f"warning: this is not in the audit chain: {error}", err=True)


def tell(facts: Mapping[str, Any], sentences: list[str], *, as_json: bool) -> None:
    for line in [json.dumps(facts)] if as_json else sentences:
        typer.echo(line)


def _asked(*, new: bool) -> bytes:
    if not sys.stdin.isatty():
        raise ConfigError(
            "the offline keys are sealed with a passphrase: name a file that holds it by "
            "--offline-passphrase-file, or run this on a terminal, which asks for it"
        )
    prompt = "passphrase of the offline keys"
    said = str(typer.prompt(prompt, hide_input=True, confirmation_prompt=new, err=True)).encode()
    return passphrase.checked(said, "the terminal")
