"""``andon hub``: install a hub, run it whole, or run one of its processes by itself."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_hub.backup.cli import backup, restore, restored
from cloud_hub.backup.marker import refuse_unfinished
from cloud_hub.config import CLOCK_VARIABLE, CONFIG_VARIABLE, Endpoints, HubConfig, default_root
from cloud_hub.errors import ConfigError, UnreachableError
from cloud_hub.identity.people.cli import first_link, person_app

hub_app = typer.Typer(no_args_is_help=True, help="Install, run and look after the hub.")
for _command in (backup, restore, restored):
    hub_app.command()(_command)
hub_app.add_typer(person_app, name="person")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help=f"The hub's TOML file [${CONFIG_VARIABLE}, or the default place]."),
]
ClockOption = Annotated[
    str, typer.Option("--clock", help="START,FACTOR[,ANCHOR]: run on a scaled clock until it catches up.")
]

NEW_CONFIG = """\
# The hub's settings. What is not set here starts by itself or has its default; unknown settings are refused.
state_dir = {state_dir}
{database}
[broker]
# host = "mqtt.example.com"   # a broker of yours, with TLS and client certificates
listen = {listen}

[web]
listen = "127.0.0.1"          # the console; another address needs certificate and key

[devices]
listen = {listen}
names = [{names}]             # what devices call this hub: the names in its certificate

[serving]
# listen = {listen}           # scoring for the console, and for devices as a last resort; off unless set
"""


@hub_app.command()
def install(
    *,
    state_dir: Annotated[Path | None, typer.Option(help="Where the hub keeps its state.")] = None,
    database_url: Annotated[str, typer.Option(help="A PostgreSQL of yours; else the hub runs its own.")] = "",
    listen: Annotated[str, typer.Option(help="Where broker and device listener listen.")] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(help="A name devices reach this hub by; repeatable.")
    ] = None,
    user: Annotated[str, typer.Option(help="Also write a systemd unit that runs as this user.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a configuration, and with --user a systemd unit. What is there already stays."""
    folder = (state_dir or default_root() / "hub").absolute()
    file = folder / "hub.toml"
    written = []
    if not file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(_new_config(folder, database_url, listen, name or ["localhost", "127.0.0.1"]))
        written.append(file)
    HubConfig.load(file)
    if user:
        written += _install_unit(file, folder, user)
    if as_json:
        typer.echo(json.dumps({"config": str(file), "written": [str(path) for path in written]}))
    else:
        typer.echo("\n".join(f"wrote {path}" for path in written) or f"{file} is there already")


@hub_app.command()
def run(
    config: ConfigFile = None,
    clock: ClockOption = "",
    ephemeral: Annotated[
        bool, typer.Option(help="Files outside of the state directory may go when it is gone (demos, tests).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the readiness line as JSON.")] = False,
) -> None:
    """Run the whole hub: the servers that are not configured, ingest, work and web."""
    found = _ready(config, clock)
    from cloud_hub.parts.supervisor import Supervisor  # noqa: PLC0415 - brings the database driver

    supervisor = Supervisor(found, config_file=config_file(config), ephemeral=ephemeral, say=_say)
    supervisor.run(lambda endpoints: _announce(found, endpoints, as_json=as_json))


@hub_app.command()
def ingest(config: ConfigFile = None, clock: ClockOption = "") -> None:
    """Take batches from the broker into the database."""
    from cloud_hub.ingest import main  # noqa: PLC0415 - each process loads its own libraries

    main.run(_ready(config, clock))


@hub_app.command()
def work(config: ConfigFile = None, clock: ClockOption = "") -> None:
    """Work off the jobs: training, publishing, rollouts."""
    from cloud_hub.jobs import main  # noqa: PLC0415 - each process loads its own libraries

    main.run(_ready(config, clock))


@hub_app.command()
def web(config: ConfigFile = None, clock: ClockOption = "") -> None:
    """Serve the console and the device listener."""
    from cloud_hub.console import main  # noqa: PLC0415 - each process loads its own libraries

    main.run(_ready(config, clock))


@hub_app.command()
def serve(
    only: Annotated[
        list[str] | None, typer.Argument(metavar="[USE_CASE|RELEASE]...", help="Else every champion.")
    ] = None,
    config: ConfigFile = None,
    clock: ClockOption = "",
) -> None:
    """Answer feature rows over HTTPS with the champions, for the console and for devices as a last resort."""
    from cloud_hub.serving import serve_cli  # noqa: PLC0415 - each process loads its own libraries

    serve_cli.run(_ready(config, clock), only or ())


@hub_app.command()
def status(
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Where the running hub's parts listen, and its processes; exit 1 if none runs."""
    found = settings(config, "")
    from cloud_hub.parts.status import read_processes, runs  # noqa: PLC0415 - used here alone
    from cloud_hub.serving.client import url_of  # noqa: PLC0415 - as above

    endpoints = found.endpoints()
    if not runs(endpoints.pid):
        raise UnreachableError(f"no hub runs in {found.state_dir}: start it with `andon hub run`")
    processes = read_processes(found.state_dir)
    if as_json:
        shown = _shown(found, endpoints) | {"scoring_url": url_of(found.state_dir)}
        shown["processes"] = {name: each.pid for name, each in processes.items()}
        shown["restarts"] = {name: each.restarts for name, each in processes.items()}
        typer.echo(json.dumps(shown))
        return
    _print_endpoints(found, endpoints, console=endpoints.console_url)
    if scoring := url_of(found.state_dir):
        typer.echo(f"  scoring  {scoring}")
    for name, each in processes.items():
        typer.echo(f"  {name:8} pid {each.pid}, started again {each.restarts} times")


@hub_app.command()
def migrate(
    config: ConfigFile = None,
    old: Annotated[
        Path | None,
        typer.Option("--from", help="First fill the empty database from the one this other hub.toml means."),
    ] = None,
) -> None:
    """Bring the database's schema up to this version; with --from, move to another database."""
    found = settings(config, "")
    if old is not None:
        from cloud_hub.flows.moved import move  # noqa: PLC0415 - brings the database driver

        moved = move(HubConfig.load(old), found)
        typer.echo(f"moved {sum(moved.values())} rows of {len(moved)} tables; the old database is as it was")
        return
    from cloud_hub.store import migrate as schema  # noqa: PLC0415 - brings the database driver

    schema.migrate(found.database_url or found.endpoints().database_url, found)
    typer.echo("the schema is up to date")


def settings(config: Path | None, clock: str) -> HubConfig:
    """The hub's settings, for a command that may be given a clock."""
    if clock:
        os.environ[CLOCK_VARIABLE] = clock  # the processes that this one starts obey it too
    return HubConfig.load(config)


def _ready(config: Path | None, clock: str) -> HubConfig:
    """The settings of a hub whose state is whole."""
    found = settings(config, clock)
    refuse_unfinished(found.state_dir)
    return found


def config_file(config: Path | None) -> Path | None:
    """The file that was named, if one was."""
    named = config or os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else None


def _new_config(folder: Path, database_url: str, listen: str, names: list[str]) -> str:
    """A JSON string is a TOML string."""
    return NEW_CONFIG.format(
        state_dir=json.dumps(str(folder)),
        database=f"database_url = {json.dumps(database_url)}\n" if database_url else "",
        listen=json.dumps(listen),
        names=", ".join(map(json.dumps, names)),
    )


def _install_unit(file: Path, folder: Path, user: str) -> list[Path]:
    from firmware_configs.templates import hub_unit  # noqa: PLC0415 - used here alone

    unit = Path("/etc/systemd/system/andon-hub.service")
    if not unit.parent.is_dir() or os.geteuid() != 0:
        raise ConfigError(f"expected systemd and root to write {unit}: leave --user out, or run as root")
    andon = Path(sys.argv[0]).absolute()
    unit.write_text(hub_unit(andon=andon, config=file, user=user, state_dir=folder))
    return [unit]


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _announce(settings: HubConfig, endpoints: Endpoints, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"ready": True, **_shown(settings, endpoints)}))
        return
    typer.echo("The hub is ready; Ctrl-C stops it.")
    if sys.stdout.isatty():
        console = first_link(settings)
        _print_endpoints(settings, endpoints, console=console)
        if console != endpoints.console_url:
            typer.echo("The console's link makes its first admin, once, within a day.")
    else:  # a log is no place for the secret in a link
        _print_endpoints(
            settings,
            endpoints,
            console=f"{endpoints.console_url} (to let the first admin in: andon hub person add)",
        )


def _shown(settings: HubConfig, endpoints: Endpoints) -> dict[str, Any]:
    shown = {"state_dir": str(settings.state_dir.resolve()), **endpoints.model_dump(mode="json")}
    if settings.database_url:
        del shown["database_url"]  # it may hold a password
    return shown


def _print_endpoints(settings: HubConfig, endpoints: Endpoints, *, console: str) -> None:
    security = "mutual TLS" if endpoints.broker_tls else "no TLS"
    typer.echo(f"  console  {console}")
    typer.echo(f"  devices  {endpoints.device_url}")
    typer.echo(f"  broker   {endpoints.broker_host}:{endpoints.broker_port} ({security})")
    typer.echo(f"  logs     {settings.state_dir.resolve() / 'log'}")
