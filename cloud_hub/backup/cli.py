"""``andon hub backup``, ``restore`` and ``restored``: parse, join the stages, print."""

import errno
import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_hub.errors import BackupError, ConfigError

if TYPE_CHECKING:
    from cloud_hub.backup.folder import Found
    from cloud_hub.config import HubConfig
    from cloud_hub.flows.restored import Restored

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The hub's TOML file.")]
ClockText = Annotated[str, typer.Option("--clock", help="START,FACTOR[,ANCHOR]: the clock the hub runs on.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Passphrase = Annotated[
    Path | None, typer.Option(help="A file whose first line seals the private keys, or opens them.")
]


def backup(
    destination: Annotated[Path, typer.Argument(help="The folder to make; it must not be there yet.")],
    *,
    passphrase_file: Passphrase = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Leave the private keys out: you keep them elsewhere.")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Go on where a file that the database names is gone.")
    ] = False,
    clock: ClockText = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Back the hub up into one folder, also while it runs."""
    from cloud_hub.backup import making, sealing  # noqa: PLC0415 - brings the database driver
    from cloud_hub.parts.reach import reached  # noqa: PLC0415 - as above

    if passphrase_file and without_keys:
        raise ConfigError("expected --passphrase-file or --without-keys, got both: there is nothing to seal")
    settings, file = _settings(config, clock)
    wish = making.Wish(
        state_dir=settings.state_dir.resolve(),
        config_file=file,
        keys=not without_keys,
        passphrase=sealing.passphrase_of(passphrase_file) if passphrase_file else None,
        allow_missing=allow_missing,
        programs=_programs(),
    )
    with _orderly_end(), reached(settings) as conninfo, _told_of_space(destination):
        fields = making.back_up(conninfo, destination, wish, settings.time())
    if as_json:
        typer.echo(json.dumps({"destination": str(destination.absolute()), **fields}))
    else:
        _tell_backup(destination, fields)


def _tell_backup(destination: Path, fields: Mapping[str, Any]) -> None:
    typer.echo(f"backed up to {destination}: {_described(fields)}")
    for sentence in (*fields["missing"], *fields["warnings"]):
        typer.echo(f"warning: {sentence}", err=True)
    if fields["keys"]["kept"] == "plain":
        typer.echo(
            "warning: it holds the hub's private keys as they are: keep it as you keep the hub, "
            "or seal them by --passphrase-file",
            err=True,
        )


def restore(
    source: Annotated[Path, typer.Argument(help="The folder that `andon hub backup` made.")],
    *,
    passphrase_file: Passphrase = None,
    check: Annotated[bool, typer.Option("--check", help="Only check that it is whole.")] = False,
    clock: ClockText = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty state directory and an empty database, then do `restored`."""
    from cloud_hub.backup import folder, restoring, sealing  # noqa: PLC0415 - brings the database driver

    found = folder.opened(source)
    passphrase = sealing.passphrase_of(passphrase_file) if passphrase_file else None
    if check:
        restoring.check(found)
        if passphrase is not None:
            restoring.open_keys(found, passphrase)
        _show(found.fields, f"{source} is whole: {_described(_summed(found))}", as_json=as_json)
        return
    settings, _ = _settings(config, clock)
    done = _restore(settings, found, passphrase)
    if as_json:
        typer.echo(json.dumps({"source": str(source), **_plain(done)}))
        return
    typer.echo(f"restored the hub of {found.fields['made']}: {_described(_summed(found))}")
    _tell(done)
    if not {sealing.PLAIN, sealing.SEALED} & found.files.keys():
        place = settings.state_dir
        typer.echo(
            f"bring identity/ca and keys/online, with its passphrase, into {place} before `andon hub run`",
            err=True,
        )


def _restore(settings: "HubConfig", found: "Found", passphrase: bytes | None) -> "Restored":
    from cloud_hub.backup import marker, restoring  # noqa: PLC0415 - brings the database driver
    from cloud_hub.parts.lock import locked  # noqa: PLC0415 - as above
    from cloud_hub.parts.reach import served  # noqa: PLC0415 - as above

    state_dir = settings.state_dir
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _orderly_end(), locked(state_dir):
        restoring.check_state(state_dir, keys=found.fields.get("keys", {}).get("kept") != "no")
        restoring.check(found)
        keys = restoring.open_keys(found, passphrase)
        with served(settings) as conninfo, _told_of_space(state_dir):
            restoring.check_database(conninfo)
            restoring.restore(found, keys, state_dir, conninfo, _programs())
            done = _restored(settings, conninfo, since=None)
            marker.forget(state_dir)
    return done


def restored(
    *,
    since: Annotated[
        str, typer.Option(help="When the backup was made (ISO 8601), if the hub has run since it came back.")
    ] = "",
    clock: ClockText = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """After a restore by other means: name what is missing, sign anew, pause what would go on by itself."""
    from cloud_hub.backup import marker, restoring  # noqa: PLC0415 - brings the database driver
    from cloud_hub.parts.lock import locked  # noqa: PLC0415 - as above
    from cloud_hub.parts.reach import served  # noqa: PLC0415 - as above
    from cloud_hub.store.database import Database  # noqa: PLC0415 - as above

    settings, _ = _settings(config, clock)
    if not settings.state_dir.is_dir():
        raise BackupError(f"no hub in {settings.state_dir}: there is nothing that was restored")
    if marker.stage_of(settings.state_dir) == marker.FILES:
        marker.refuse_unfinished(settings.state_dir)
    with _orderly_end(), locked(settings.state_dir), served(settings) as conninfo:
        with Database(conninfo).connect() as connection:
            restoring.alone(connection)
        done = _restored(settings, conninfo, since=_moment(since))
        marker.forget(settings.state_dir)
    if as_json:
        typer.echo(json.dumps(_plain(done)))
    else:
        _tell(done)


def _restored(settings: "HubConfig", conninfo: str, *, since: datetime | None) -> "Restored":
    from cloud_hub.flows import restored as flow  # noqa: PLC0415 - brings the job queue
    from cloud_hub.hub import assemble, person  # noqa: PLC0415 - as above
    from cloud_hub.store.database import Database  # noqa: PLC0415 - as above
    from cloud_hub.store.migrate import migrate  # noqa: PLC0415 - as above

    migrate(conninfo, settings)
    with Database(conninfo, most=2) as database:
        return flow.restored(assemble(settings, database, settings.time()), actor=person(), since=since)


def _settings(config: Path | None, clock: str) -> "tuple[HubConfig, Path | None]":
    from cloud_hub import cli  # noqa: PLC0415 - it mounts these commands

    settings = cli.settings(config, clock)
    return settings, cli.config_file(config) or settings.state_dir / "hub.toml"


def _programs() -> tuple[Path, ...]:
    """Where the embedded PostgreSQL keeps its programs, if it is installed."""
    from cloud_hub.parts.errors import PartError  # noqa: PLC0415 - used here alone
    from cloud_hub.parts.postgres_binaries import packaged  # noqa: PLC0415 - as above

    try:
        return (packaged(),)
    except PartError:
        return ()


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--since: expected a time like 2026-11-23T02:00:00Z, got {text!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def _orderly_end() -> Iterator[None]:
    """SIGTERM ends this as Ctrl-C does: what is half done is taken back first."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _told_of_space(place: Path) -> Iterator[None]:
    """A full disk is told with the place that is full."""
    try:
        yield
    except BackupError as error:
        if "No space left" not in str(error):
            raise
        raise BackupError(f"no space left for {place}: {error}") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BackupError(
            f"no space left for {place}: choose a larger disk; nothing was kept of it"
        ) from error


def _summed(found: Any) -> Mapping[str, Any]:
    sizes = [entry.bytes for entry in found.files.values()]
    return {**found.fields, "files": len(sizes), "bytes": sum(sizes)}


def _described(fields: Mapping[str, Any]) -> str:
    database = fields["database"]
    return (
        f"{fields['files']} files, {fields['bytes'] / 1e6:.1f} MB, {database.get('devices', 0)} devices, "
        f"keys {fields.get('keys', {}).get('kept', 'unknown')}"
    )


def _show(fields: Mapping[str, Any], sentence: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(dict(fields)) if as_json else sentence)


def _plain(done: "Restored") -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(done), default=str))
    return plain


def _tell(done: "Restored") -> None:
    for gap in done.gaps:
        typer.echo(f"  {gap.device:<24} gap hub-restored from {gap.since:%Y-%m-%d %H:%M:%S} UTC until now")
    for rollout in done.paused:
        typer.echo(f"  rollout {rollout} is paused: look at it, then resume, abort or undo it")
    if done.tokens:
        typer.echo(
            f"  {done.tokens} open enrolment tokens are void: `andon device add NAME --again` makes new ones"
        )
    if done.metadata_version:
        typer.echo(f"  signed anew what may be installed, as version {done.metadata_version}")
    if done.metadata_trouble:
        typer.echo(f"warning: what may be installed was not signed anew: {done.metadata_trouble}", err=True)
    typer.echo("now `andon hub run`; devices say their birth again when they connect, or are asked to")
