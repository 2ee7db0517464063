"""``andon edge``: parse, call, print. Heavy parts are imported by the command that needs them."""

import json
import os
import pwd
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_agent import logs, machine_code_place, status, status_text, updates_text
from edge_agent.config import CLOCK_VARIABLE, AgentConfig
from edge_agent.errors import ConfigError

edge_app = typer.Typer(help="Enrol, run and inspect a device.", no_args_is_help=True)

ConfigFile = Annotated[
    Path, typer.Option("--config", envvar="ANDON_EDGE_CONFIG", help="The agent's TOML file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
DEFAULT_CONFIG = Path("/etc/andon/agent.toml")


@edge_app.command()
def install(
    *,
    device: Annotated[str, typer.Option(help="The device's name, unique in the fleet.")],
    hub_url: Annotated[str, typer.Option(help="The hub's device listener, https://host:port.")],
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = DEFAULT_CONFIG.parent,
    state_dir: Annotated[Path, typer.Option(help="Where the agent keeps its state.")] = Path(
        "/var/lib/andon/edge"
    ),
    feed: Annotated[
        str, typer.Option(help="Where the source of signals listens.")
    ] = "unix:/run/andon/feed.sock",
    profile: Annotated[str, typer.Option(help="What kind of device this is.")] = "generic",
    user: Annotated[str, typer.Option(help="The account the agent runs under; yours if left out.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a configuration to edit and a systemd unit."""
    from edge_agent.install import Plan  # noqa: PLC0415 - only this command needs it
    from edge_agent.install import install as write  # noqa: PLC0415 - only this command needs it

    plan = Plan(
        device=device,
        folder=folder.absolute(),
        state_dir=state_dir.absolute(),
        hub_url=hub_url,
        feed=feed,
        profile=profile,
        user=user or pwd.getpwuid(os.geteuid()).pw_name,
    )
    file, unit = write(plan, force=force)
    typer.echo(f"wrote {file} and {unit}\nnext: andon edge enroll --config {file} --token-file TOKEN")


@edge_app.command()
def enroll(
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: Annotated[
        Path | None, typer.Option(help="Holds the token that `andon device add` printed; stdin if left out.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an identity that is there.")] = False,
) -> None:
    """Give this device its identity, against a one-time token."""
    from edge_agent.enrolment import enroll as ask  # noqa: PLC0415 - only this command needs it

    settings = AgentConfig.load(config)
    folder = ask(settings, _token(token_file), force=force)
    typer.echo(f"{settings.device} is enrolled: its identity is in {folder}")


@edge_app.command()
def renew(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Have the hub certify this device's key anew; a running agent does so by itself in time."""
    from edge_agent.identity import Identity  # noqa: PLC0415 - only this command needs it
    from edge_agent.renewal import renew as ask  # noqa: PLC0415 - only this command needs it
    from edge_agent.updates.disk import Disk  # noqa: PLC0415 - only this command needs it

    settings = AgentConfig.load(config)
    ends = ask(Identity.load(settings), Disk()).not_valid_after_utc
    typer.echo(f"{settings.device}: its new certificate ends {ends:%Y-%m-%d %H:%M} UTC")


@edge_app.command()
def run(
    config: ConfigFile = DEFAULT_CONFIG,
    clock: Annotated[
        str, typer.Option(envvar=CLOCK_VARIABLE, metavar="START,FACTOR[,ANCHOR]", help="Clock to go by.")
    ] = "",
    log_level: Annotated[
        str, typer.Option(envvar="ANDON_LOG_LEVEL", help=f"One of {', '.join(logs.LEVELS)}.")
    ] = "info",
) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    if log_level not in logs.LEVELS:
        raise ConfigError(f"expected a log level out of {', '.join(logs.LEVELS)}, got {log_level!r}")
    settings = AgentConfig.load(config, clock=clock)
    logs.to_stderr(log_level, device=settings.device)
    machine_code_place.keep_in(settings.state_dir)
    from edge_agent.agent import Agent  # noqa: PLC0415 - a second of numeric libraries

    Agent(settings).run()


@edge_app.command("status")
def show_status(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What the agent last said of itself."""
    found = status.read(AgentConfig.load(config).state_dir)
    typer.echo(json.dumps(found) if as_json else "\n".join(status_text.lines(found)))


@edge_app.command("updates")
def show_updates(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What became of the latest directives, with the reason of every step."""
    from edge_agent.updates.telling import history  # noqa: PLC0415 - only this command needs it
    from edge_agent.updates.updates import journal_file  # noqa: PLC0415 - only this command needs it

    found = history(journal_file(AgentConfig.load(config).state_dir))
    lines = list(updates_text.history_lines(found)) or ["no directive has come to this device yet"]
    typer.echo(json.dumps(found) if as_json else "\n".join(lines))


@edge_app.command("self-test")
def self_test(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Try kernels, the outbox's disk and the installed releases; exit 1 when one fails."""
    settings = AgentConfig.load(config)
    machine_code_place.keep_in(settings.state_dir)
    from edge_agent import selftest  # noqa: PLC0415 - a second of numeric libraries
    from edge_agent.runners.device import device_runners  # noqa: PLC0415 - a second of numeric libraries

    with logs.errors_to_stderr(device=settings.device):
        findings = selftest.run(settings.state_dir, device_runners(settings))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            typer.echo(f"{'ok    ' if finding.passed else 'FAILED'} {finding.name}: {finding.detail}")
            for note in finding.notes:
                typer.echo(f"       {note}")
    raise typer.Exit(0 if all(finding.passed for finding in findings) else 1)


def _token(path: Path | None) -> str:
    """A secret never stands in the arguments, where every process could read it."""
    try:
        return path.read_text() if path else sys.stdin.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token cannot be read: {error}") from error
