"""``andon model``: begin, train, look, compare, approve, refuse, export, score, make room."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cloud_hub.compiler.card_cli import card
from cloud_hub.compiler.engines_cli import compile_
from cloud_hub.compiler.publish_cli import publish_engine
from cloud_hub.compiler.published_cli import engines
from cloud_hub.config import HubConfig
from cloud_hub.flows.explain_cli import explain
from cloud_hub.registry import export_cli, following, new_cli, printing, refuse_cli, runs_cli, upkeep_cli
from cloud_hub.registry.approvals import standing
from cloud_hub.registry.models import SQL, Registry
from cloud_hub.registry.trace import Trace, trace
from cloud_hub.serving.rescore_cli import rescore
from models import use_case as use_cases
from models.errors import UseCaseError

model_app = typer.Typer(no_args_is_help=True, help="Train, compare and approve models.")

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Release = Annotated[str, typer.Argument(help="Such as motor-health/3.")]


@model_app.command()
def train(
    use_case: Annotated[str, typer.Argument(help="Such as turbofan-rul.")],
    *,
    onnx: Annotated[Path | None, typer.Option(help="Judge this network, made elsewhere.")] = None,
    learnt_from: Annotated[
        Path | None, typer.Option(help="With --onnx: the machines it learnt from, one a line; else any.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Train USE_CASE on what the store holds now, and judge the candidate. Exit 1 if that failed.

    Interrupting (Ctrl-C) cancels the training; with --no-wait, `andon model cancel` does.
    """
    from cloud_hub.flows import retrain, runs  # noqa: PLC0415 - brings the job queue
    from cloud_hub.hub import opened, person  # noqa: PLC0415 - as above

    settings = HubConfig.load(config)
    use_cases.find(use_case, settings.use_cases)
    with opened(settings) as hub:
        run = retrain.request(hub, use_case, actor=person(), onnx=onnx, learnt_from=learnt_from)
        if not wait:
            typer.echo(json.dumps({"run": run}) if as_json else run)
            return
        try:
            with runs.cancelled_by_interrupt(hub, run, actor=person()):
                row = following.run_to_its_end(hub.database, run, quiet=as_json)
        except KeyboardInterrupt:
            typer.echo(f"{run} is cancelled", err=True)
            raise
    typer.echo(json.dumps(row, default=str) if as_json else printing.trained(row))


@model_app.command()
def cancel(
    run: Annotated[str, typer.Argument(help="Such as turbofan-rul-run-3.")], config: Config = None
) -> None:
    """End the training RUN, queued or at work."""
    from cloud_hub.flows import runs  # noqa: PLC0415 - as above
    from cloud_hub.hub import opened, person  # noqa: PLC0415 - as above

    with opened(HubConfig.load(config)) as hub:
        runs.cancel(hub, run, actor=person())
    typer.echo(f"{run} is cancelled")


@model_app.command("list")
def list_(
    use_case: Annotated[str | None, typer.Option(help="Of this use case alone.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Every version of every model, newest first."""
    with HubConfig.load(config).database(most=2) as database:
        rows = [printing.listed(row) for row in database.rows(SQL["newest_first"], {"use_case": use_case})]
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    if not rows:
        typer.echo(f"no models yet: `andon model train {use_case or 'USE_CASE'}` makes one")
        return
    table = Table()
    for column in ("release", "state", "is", "figure", "trained", "made"):
        table.add_column(column, no_wrap=column == "release")
    for row in rows:
        table.add_row(*printing.cells(row))
    Console().print(table)


@model_app.command()
def show(release: Release, as_json: AsJson = False, config: Config = None) -> None:
    """The whole trace of RELEASE: run, dataset, features, code, rows; verdict, approvals, predictions."""
    with _registry(config) as registry:
        found = trace(registry, release)
    missing = _missing(found, HubConfig.load(config).use_cases)
    fields = found.to_fields() | {"missing": missing}
    typer.echo(json.dumps(fields, default=str) if as_json else printing.traced(found, missing))


@model_app.command()
def approve(
    release: Release,
    override: Annotated[str, typer.Option(help="Why, where the gate has said no.")] = "",
    patience: Annotated[float, typer.Option(help="Seconds to wait until it is signed.")] = 120.0,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Approve RELEASE; with enough people, wait until it is bundled, signed and published."""
    from cloud_hub.flows import release as releases  # noqa: PLC0415 - brings the job queue
    from cloud_hub.hub import opened, person  # noqa: PLC0415 - as above

    with opened(HubConfig.load(config)) as hub:
        stands = releases.approve(hub, release, person=person(), override=override)
        if not stands.enough:
            told = {"release": release, "approved_by": list(stands.voices), "missing": stands.missing}
            typer.echo(json.dumps(told) if as_json else f"{release} waits: {stands.missing}")
            return
        row = following.until_released(
            hub.database, release, failure=lambda: releases.failure(hub, release), patience_s=patience
        )
    shown = {name: row[name] for name in ("release", "state", "bundle_path", "bundle_sha256")}
    typer.echo(
        json.dumps(shown, default=str) if as_json else f"{release} is released: {row['bundle_sha256']}"
    )


model_app.command()(new_cli.new)
model_app.command()(refuse_cli.refuse)
model_app.command()(runs_cli.runs)
model_app.command()(upkeep_cli.compare)
model_app.command()(upkeep_cli.gc)
model_app.command()(card)
model_app.command("compile")(compile_)
model_app.command()(publish_engine)
model_app.command()(engines)
model_app.command()(export_cli.export)
model_app.command()(explain)
model_app.command()(rescore)


@model_app.command()
def score(
    named: Annotated[str, typer.Argument(metavar="USE_CASE|RELEASE")],
    truth: Annotated[
        Path, typer.Option(help="A line a machine with remaining_life, or a life with start and failure.")
    ],
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only machines that its run held out.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Hold the predictions that devices made against what happened, in both conventions."""
    from cloud_hub.training import scoring  # noqa: PLC0415 - the one command that needs it

    own = HubConfig.load(config).use_cases
    with _registry(config) as registry:
        found = scoring.score(registry, named, truth, held_out=held_out, own=own)
    typer.echo(json.dumps(found) if as_json else printing.scored(found))


def _missing(found: Trace, own: Path) -> str:
    """What it still takes until a candidate is approved; nothing of others, or where its use case is gone."""
    if found.model.state not in ("candidate", "refused") or found.refusal:
        return ""
    with suppress(UseCaseError):
        rule = use_cases.find(found.model.use_case, own).approval
        return standing([row["person"] for row in found.approvals], found.source.author, rule).missing
    return ""


@contextmanager
def _registry(config: Path | None) -> Iterator[Registry]:
    """The registry of the configured hub, its connections open until the block ends."""
    settings = HubConfig.load(config)
    with settings.database(most=2) as database:
        yield Registry(database, settings.state_dir / "artifacts", settings.time())
