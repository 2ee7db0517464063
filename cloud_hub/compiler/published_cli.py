"""``andon model engines``: what is signed for which target, and who heard it before it was."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cloud_hub.config import HubConfig
from cloud_hub.registry.models import SQL, Registry
from cloud_hub.registry.printing import DATE
from cloud_hub.store.database import Row

if TYPE_CHECKING:
    from cloud_hub.signing.repository import Repository

ROLE = "engines-"
COLUMNS = ("target", "release", "precision", "library", "heard on", "signed")


def engines(
    release: Annotated[str, typer.Argument(help="Of this release alone, such as motor-health/3.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """List the engines that are signed, by target: what devices may fetch instead of compiling."""
    from cloud_hub.signing.repository import Repository  # noqa: PLC0415 - brings TUF

    settings = HubConfig.load(config)
    repository = Repository.of(settings)
    with settings.database(most=1) as database:
        if release:
            Registry(database, settings.state_dir / "artifacts", settings.time()).get(release)
        noted = {row["subject"]: row for row in database.rows(SQL["engines_signed"])}
    roles = [role for role in repository.roles() if role.startswith(ROLE)]
    rows = [
        row for role in roles for row in _rows(repository, role, noted) if release in ("", row["release"])
    ]
    if as_json:
        typer.echo(json.dumps(rows, default=str))
    elif rows:
        table = Table(*COLUMNS)
        for row in rows:
            table.add_row(*_cells(row))
        Console().print(table)
    else:
        typer.echo(_none([role.removeprefix(ROLE) for role in roles], release or "RELEASE"))


def _rows(repository: "Repository", role: str, noted: Mapping[str, Row]) -> Iterator[dict[str, Any]]:
    """One for each engine that ``role`` vouches for, with what the audit chain says of it."""
    for path, target in sorted(repository.shelf.listed(role).signed.targets.items()):
        note = noted.get(path, {})
        detail = note.get("detail", {})
        yield (
            {"path": path, "target": role.removeprefix(ROLE)}
            | _told(path)
            | {
                "sha256": target.hashes["sha256"],
                "bytes": target.length,
                "worst": detail.get("worst"),
                "compared_on": detail.get("compared_on"),
                "signed": note.get("time"),
                "signed_by": note.get("actor"),
            }
        )


def _told(path: str) -> dict[str, str]:
    """What an engine's name says: see ``wire.engine.EngineKey``."""
    use_case, _, name = path.split("/", 2)[2].partition("/")
    version, *between = name.removesuffix(".engine").split(".")
    precision, *library = between[:-1] or [""]
    return {"release": f"{use_case}/{version}", "precision": precision, "runtime_version": ".".join(library)}


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    signed = row["signed"]
    heard = row["compared_on"] or ("nobody yet" if signed else "not known")
    return (
        row["target"],
        row["release"],
        row["precision"],
        row["runtime_version"],
        heard,
        f"{signed:{DATE}}" if signed else "not in the audit chain",
    )


def _none(targets: list[str], release: str) -> str:
    if targets:
        return (
            f"no engine is signed yet; for {', '.join(targets)} one may be: `andon model compile {release}"
            " --target TARGET --publish`, or `andon model publish-engine` with what a builder host made"
        )
    return (
        "no engine is signed yet, and nobody may vouch for any: `andon keys delegate --engine-target TARGET"
        " --offline DIRECTORY` makes a key for it; devices compile their own meanwhile"
    )
