"""``andon data import``: labels into the store, line by line; a bad one is named, the others are kept."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.dataset.label_lines import Line, Refusal, parse
from cloud_hub.errors import NotFoundError
from cloud_hub.flows.faults import fault_classes
from cloud_hub.store import labels


class Kind(StrEnum):
    LABELS = "labels"


def import_(
    file: Annotated[Path, typer.Argument(help="One JSON object a line: machine, kind, time.")],
    kind: Annotated[Kind, typer.Option(help="What the file holds.")] = Kind.LABELS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Keep what FILE says. A bad line is named and left out, the others are kept; exit 1 if one was bad.

    Failures may name a `fault`. A verdict says `right` or `wrong` of an `alarm` by its opening time, or of
    a span from `since` to `until` (its own time where none is given).
    """
    settings = HubConfig.load(config)
    now = settings.time().now()
    read = list(parse(_lines(file), now=now))
    good = [item for item in read if isinstance(item, Line)]
    with settings.database(most=2) as database:
        kept = labels.keep(
            database,
            [line.label for line in good],
            source=file.name,
            added=now,
            faults=_faults(settings.use_cases),
        )
    refused = [item for item in read if isinstance(item, Refusal)]
    refused += [Refusal(line=good[place].number, reason=str(error)) for place, error in kept.refused.items()]
    refused.sort(key=lambda item: item.line)
    if as_json:
        listed = [{"line": item.line, "reason": item.reason} for item in refused]
        typer.echo(json.dumps({"read": len(read), "stored": kept.new, "refused": listed}))
    else:
        typer.echo(f"{kept.new} new {kind.value}, {len(read) - len(refused) - kept.new} known before")
    for item in refused:
        typer.echo(f"error: {file}:{item.line}: {item.reason}", err=True)
    raise typer.Exit(1 if refused else 0)


def _lines(file: Path) -> list[str]:
    """As JSON knows lines; what is no UTF-8 becomes half a character, and its line is refused."""
    try:
        return file.read_text("utf-8-sig", errors="surrogateescape").split("\n")
    except OSError as error:
        raise NotFoundError("readable file", f"{file}") from error


def _faults(own: Path) -> Mapping[str, frozenset[str]]:
    """A use case that cannot be read is named and left out: a half-written file keeps no label away."""
    known = fault_classes(own)
    for unread in known.unread:
        typer.echo(f"warning: {unread}; faults that it alone names are refused", err=True)
    return known.by_class
