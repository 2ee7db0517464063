"""What a backup and a restore refuse, each in one sentence, before anything is touched."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from cloud_hub.backup import folder, programs, sealing
from cloud_hub.backup.marker import NAME as MARKER
from cloud_hub.backup.marker import begin
from cloud_hub.cli import hub_app
from cloud_hub.config import HubConfig
from cloud_hub.errors import HubError
from cloud_hub.hub import opened
from cloud_hub.identity.ca import Authority
from cloud_hub.signing import keys
from cloud_hub.store.database import Database


@pytest.fixture
def config(database: str, tmp_path: Path) -> Path:
    """A hub that has run: a migrated database, an authority, keys; no process of it runs now."""
    state = tmp_path / "hub"
    state.mkdir()
    file = state / "hub.toml"
    file.write_text(f'database_url = "{database}"\n')
    Authority.of(state).ensure()
    keys.init(state, tmp_path / "offline")
    return file


@pytest.fixture
def other(empty_database: str, tmp_path: Path) -> Path:
    """An empty place to restore into."""
    state = tmp_path / "other"
    state.mkdir()
    file = state / "hub.toml"
    file.write_text(f'database_url = "{empty_database}"\n')
    return file


@pytest.fixture
def made(config: Path, tmp_path: Path) -> Path:
    call("backup", str(tmp_path / "backup"), "--config", str(config))
    return tmp_path / "backup"


def call(*words: str) -> str:
    done = CliRunner().invoke(hub_app, list(words), catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def refusal(*words: str) -> str:
    with pytest.raises((HubError, OSError)) as caught:
        call(*words)
    said = str(caught.value)
    assert "\n" not in said
    return said


def artifact(config: Path, *, content: bytes = b"onnx", sha256: str | None = None) -> Path:
    """A model's file, and the row that names it."""
    file = config.parent / "artifacts" / "models" / "u" / "m.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with opened(HubConfig.load(config)) as hub:
        now = {"now": hub.clock.now(), "sha256": sha256 or hashlib.sha256(content).hexdigest()}
        hub.database.execute(
            "INSERT INTO run (id, use_case, state, correlation, created) VALUES ('u-run-1', 'u', 'done', '', %(now)s)",
            now,
        )
        hub.database.execute(
            "INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, created)"
            " VALUES ('u', 1, 'u/1', 'u-run-1', 'candidate', 'models/u/m.onnx', %(sha256)s, '{}', '{}', %(now)s)",
            now,
        )
    return file


def test_what_is_backed_up_comes_back_as_it_was(config: Path, other: Path, tmp_path: Path) -> None:
    file = artifact(config)
    (config.parent / "parts").mkdir()
    (config.parent / "parts" / "broker-port").write_text("18883")
    shown = json.loads(call("backup", str(tmp_path / "backup"), "--config", str(config), "--json"))
    assert shown["keys"] == {"kept": "plain", "online": True}
    assert call("restore", str(tmp_path / "backup"), "--check").startswith(f"{tmp_path / 'backup'} is whole")
    call("restore", str(tmp_path / "backup"), "--config", str(other))
    for name in ("identity/ca/ca.key", "identity/ca/ca.crt", "keys/online/director.pem", "parts/broker-port"):
        assert (other.parent / name).read_bytes() == (config.parent / name).read_bytes(), name
    assert (other.parent / file.relative_to(config.parent)).read_bytes() == b"onnx"
    assert (other.parent / "hub.toml.from-backup").read_text() == config.read_text()
    for name in ("identity/ca/ca.key", "keys/online/director.pem", "keys/passphrase", "hub.toml.from-backup"):
        assert (other.parent / name).stat().st_mode & 0o077 == 0, name
    assert not (other.parent / MARKER).exists()
    with opened(HubConfig.load(other)) as hub:
        assert hub.database.row("SELECT release FROM model") == {"release": "u/1"}
        assert hub.database.row("SELECT count(*) AS n FROM restoration") == {"n": 1}
    old = json.loads((config.parent / "repository/metadata/timestamp.json").read_text())["signed"]["version"]
    new = json.loads((other.parent / "repository/metadata/timestamp.json").read_text())["signed"]["version"]
    assert new > old, "a device that saw the old one takes the new one"


def test_nobody_else_can_read_a_backup(made: Path) -> None:
    for path in [made, *made.rglob("*")]:
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
    assert made.stat().st_mode & 0o077 == 0


def test_sealed_keys_open_with_their_passphrase_alone(config: Path, other: Path, tmp_path: Path) -> None:
    right, wrong, short = tmp_path / "right", tmp_path / "wrong", tmp_path / "short"
    right.write_text("correct horse battery\n")
    wrong.write_text("incorrect horse battery\n")
    short.write_text("horse\n")
    backup = tmp_path / "sealed"
    words = ("--config", str(config), "--passphrase-file")
    assert "12 characters or more, got 5" in refusal("backup", str(backup), *words, str(short))
    call("backup", str(backup), *words, str(right))
    assert b"PRIVATE KEY" not in (backup / sealing.SEALED).read_bytes()
    assert not (backup / sealing.PLAIN).exists()
    into = ("--config", str(other))
    assert "is whole" in call("restore", str(backup), "--check")
    with pytest.raises(HubError, match="not sealed with this passphrase"):
        call("restore", str(backup), "--check", "--passphrase-file", str(wrong))
    assert "name the passphrase by --passphrase-file" in refusal("restore", str(backup), *into)
    assert "not sealed with this passphrase" in refusal(
        "restore", str(backup), *into, "--passphrase-file", str(wrong)
    )
    call("restore", str(backup), *into, "--passphrase-file", str(right))
    assert (other.parent / "keys/online/director.pem").exists()


def test_without_keys_they_are_brought_by_hand(config: Path, other: Path, tmp_path: Path) -> None:
    backup = tmp_path / "bare"
    call("backup", str(backup), "--config", str(config), "--without-keys")
    passphrase = (config.parent / "keys/passphrase").read_bytes().strip()
    for path in backup.rglob("*"):
        assert path.is_dir() or b"PRIVATE KEY" not in path.read_bytes()
        assert path.is_dir() or passphrase not in path.read_bytes()
    for folder_name in ("identity", "keys"):
        shutil.copytree(config.parent / folder_name, other.parent / folder_name)
    shown = call("restore", str(backup), "--config", str(other))
    assert "signed anew what may be installed" in shown
    assert "bring identity/ca and keys/online" in shown


def test_a_passphrase_kept_elsewhere_is_in_no_backup(config: Path, tmp_path: Path) -> None:
    passphrase = (config.parent / "keys/passphrase").rename(tmp_path / "elsewhere")
    config.write_text(f'{config.read_text()}\n[signing]\npassphrase_file = "{passphrase}"\n')
    call("backup", str(tmp_path / "backup"), "--config", str(config))
    kept = sealing.unpack((tmp_path / "backup" / sealing.PLAIN).read_bytes())
    assert b"ENCRYPTED PRIVATE KEY" in kept["keys/online/director.pem"]
    assert not any(passphrase.read_bytes().strip() in content for content in kept.values())


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        ("database.dump", lambda path: path.write_bytes(path.read_bytes()[:-1]), "was changed or cut short"),
        ("database.dump", lambda path: path.unlink(), "is missing: this backup is not whole"),
        ("keys.tar", lambda path: path.write_bytes(b"x" * path.stat().st_size), "was changed or cut short"),
        ("manifest.json", lambda path: path.write_text("{"), "is no backup's manifest"),
        ("manifest.json", lambda path: path.unlink(), "no backup in"),
    ],
)
def test_a_damaged_backup_is_refused_and_nothing_is_touched(
    made: Path, other: Path, name: str, damage: Callable[[Path], object], told: str
) -> None:
    damage(made / name)
    before = sorted(other.parent.rglob("*"))
    assert told in refusal("restore", str(made), "--config", str(other))
    assert told in refusal("restore", str(made), "--check")
    assert [path for path in sorted(other.parent.rglob("*")) if "run" not in path.parts] == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "expected format 1, got 2"),
        ({"database": {}}, "is no backup's manifest"),
        ({"files": {"../../etc/passwd": {"bytes": 1, "sha256": ""}}}, "expected a name inside the backup"),
        ({"files": {"/etc/passwd": {"bytes": 1, "sha256": ""}}}, "expected a name inside the backup"),
        ({"files": {}}, "has no database.dump"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(
    made: Path, other: Path, change: dict, told: str
) -> None:
    manifest = made / folder.MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    assert told in refusal("restore", str(made), "--config", str(other))


def test_a_schema_from_the_future_is_refused(made: Path, other: Path) -> None:
    manifest = made / folder.MANIFEST
    fields = json.loads(manifest.read_text())
    fields["database"]["migrations"].append("9999_later")
    manifest.write_text(json.dumps(fields))
    assert "has migration 9999_later, which this andon does not know" in refusal(
        "restore", str(made), "--config", str(other)
    )


def test_a_restore_into_a_place_that_is_not_empty_is_refused(made: Path, config: Path, other: Path) -> None:
    assert "is not empty: a backup is restored into an empty state directory alone" in refusal(
        "restore", str(made), "--config", str(config)
    )
    url = HubConfig.load(other).database_url
    with Database(url).connect() as connection:
        connection.execute("CREATE TABLE precious (id integer)")
    assert "the database is not empty, it holds precious" in refusal(
        "restore", str(made), "--config", str(other)
    )
    assert not (other.parent / "repository").exists()


def test_a_restore_beside_anyone_who_uses_the_database_is_refused(made: Path, other: Path) -> None:
    with psycopg.connect(HubConfig.load(other).database_url):
        assert "1 other connections use this database: stop every process" in refusal(
            "restore", str(made), "--config", str(other)
        )
        assert "stop every process of the hub first" in refusal("restored", "--config", str(other))


def test_a_restore_that_fails_midway_leaves_nothing(made: Path, other: Path) -> None:
    dump = made / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-2000])
    manifest = made / folder.MANIFEST
    fields = json.loads(manifest.read_text())
    found = folder._hashed(dump)
    fields["files"]["database.dump"] = {"bytes": found.bytes, "sha256": found.sha256}
    manifest.write_text(json.dumps(fields))
    assert "pg_restore: error" in refusal("restore", str(made), "--config", str(other))
    left = {path.name for path in other.parent.iterdir()}
    assert left <= {"hub.toml", "run", "parts", "identity", "keys"}
    assert not list(other.parent.rglob("*.pem"))
    with Database(HubConfig.load(other).database_url).connect() as connection:
        assert connection.execute("SELECT to_regclass('device') AS there").fetchone() == {"there": None}


def test_a_restore_cut_short_keeps_the_hub_from_starting_until_it_is_done_again(
    made: Path, other: Path
) -> None:
    begin(other.parent, made)  # as a power cut would leave it, some files in place
    shutil.copytree(made / "repository", other.parent / "repository")
    for process in ("run", "ingest", "work", "web"):
        assert "did not finish: run `andon hub restore` again" in refusal(process, "--config", str(other))
    assert "did not finish" in refusal("restored", "--config", str(other))
    call("restore", str(made), "--config", str(other))
    assert not (other.parent / MARKER).exists()


def test_a_destination_that_cannot_be_is_refused(made: Path, config: Path, tmp_path: Path) -> None:
    words = ("--config", str(config))
    assert "is there already, and a backup overwrites nothing" in refusal("backup", str(made), *words)
    assert "is there already" in refusal("backup", str(tmp_path), *words)
    assert "is the backup disk mounted?" in refusal("backup", str(tmp_path / "none" / "backup"), *words)
    assert "got both" in refusal(
        "backup", str(tmp_path / "b"), *words, "--without-keys", "--passphrase-file", str(made)
    )
    assert not list(tmp_path.glob(".*partial"))


def test_a_file_that_a_row_names_and_nobody_has_makes_the_backup_refuse(config: Path, tmp_path: Path) -> None:
    file = artifact(config)
    file.write_bytes(b"other")
    words = ("backup", str(tmp_path / "backup"), "--config", str(config))
    assert "artifacts/models/u/m.onnx of model u/1 was changed; bring it back" in refusal(*words)
    file.unlink()
    assert "artifacts/models/u/m.onnx of model u/1 is gone; bring it back" in refusal(*words)
    assert not list(tmp_path.glob(".*partial"))
    assert not (tmp_path / "backup").exists()
    assert "is gone" in call(*words, "--allow-missing")


def test_a_hub_without_authority_or_database_has_nothing_to_back_up(other: Path, tmp_path: Path) -> None:
    words = ("backup", str(tmp_path / "backup"), "--config", str(other))
    assert refusal(*words) == "the database holds no hub: there is nothing to back up"
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "hub.toml").write_text("")
    assert "no hub has run in" in refusal("backup", str(tmp_path / "x"), "--config", str(bare / "hub.toml"))


def test_no_password_stands_in_an_argument_list(config: Path, database: str) -> None:
    target, secret = programs.without_password("postgresql://ada:s3cret@db/andon?sslmode=require")
    assert "s3cret" not in target
    assert "sslmode=require" in target
    assert secret == {"PGPASSWORD": "s3cret"}
    with pytest.raises(HubError, match="sslpassword"):
        programs.without_password("host=db sslpassword=s3cret")


def test_a_missing_program_is_named_with_its_version(tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"expected pg_dump of PostgreSQL 99 or newer, found .*install"):
        programs.find("pg_dump", least=99, folders=[tmp_path])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_told_and_nothing_is_left_on_it(config: Path, small_disk: Path) -> None:
    said = refusal("backup", str(small_disk / "backup"), "--config", str(config))
    assert said.startswith(f"no space left for {small_disk / 'backup'}")
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_backup_that_is_interrupted_leaves_nothing(
    config: Path, tmp_path: Path, how: signal.Signals
) -> None:
    """The dump waits for a lock that the test holds, so it is surely in the middle."""
    backup = tmp_path / "cut"
    with psycopg.connect(HubConfig.load(config).database_url) as blocker:
        blocker.execute("LOCK TABLE device IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "andon", "hub", "backup", str(backup), "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"ANDON_CLOCK": ""},
        )
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob(".cut.partial")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stdout
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(how)
        said, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert b"Traceback" not in said
    assert not backup.exists()
    assert not list(tmp_path.glob(".cut.partial"))
