"""From a release, or a bundle file on a builder host, to an engine that the hub has signed; each step may say no."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiler_networks import bundle_of, draw
from typer.testing import CliRunner

from cloud_hub.compiler import brought, engine_files, engines
from cloud_hub.compiler.half import to_fp16
from cloud_hub.compiler.workshop import Workshop
from cloud_hub.config import default_root
from cloud_hub.errors import ConflictError, HubError, NotFoundError
from cloud_hub.registry.cli import model_app
from cloud_hub.registry.models import Registry
from cloud_hub.signing import keys
from cloud_hub.signing.repository import Repository
from cloud_hub.store.database import Database
from firmware_configs.errors import HostError
from firmware_configs.profiles import Runtime, profiles
from models import graphs, use_case
from tests.stored_machines import Stored
from wire.bundle import Bundle, file_sha256, write_bundle
from wire.clock import Clock
from wire.engine import read_engine, write_engine
from wire.precision import Precision

pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed: pip install tensorrt-rtx")

RTX = next(one.target for one in profiles().values() if one.runtime is Runtime.TENSORRT_RTX)
RELEASE = "turbofan-rul/1"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    drawn = draw(use_case.find("turbofan-rul"))
    inputs = drawn.rows.features[:16]
    outputs = graphs.Runner(drawn.onnx, [output.name for output in drawn.manifest.outputs]).run(inputs)
    return bundle_of(drawn, outputs, inputs, **{Precision.FP16: to_fp16(drawn.onnx)})


@pytest.fixture(scope="module")
def file(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brought") / "1.zip"
    write_bundle(path, bundle)
    return path


def ask(*words: object) -> tuple[int, str]:
    """The exit status, and what stands on the terminal; errors are raised."""
    done = CliRunner().invoke(model_app, list(map(str, words)))
    if isinstance(done.exception, HubError | HostError):
        raise done.exception
    return done.exit_code, done.stdout


def rows(*words: object) -> tuple[int, list[dict[str, Any]]]:
    code, said = ask(*words, "--json")
    return code, json.loads(said)


# ------------------------------------------------------------------ a builder host


def test_builder_host_compiles_a_bundle_file_without_a_hub(file: Path, tmp_path: Path) -> None:
    code, told = rows("compile", "--bundle", file, "--target", RTX, "--out", tmp_path)
    assert code == 0
    assert {row["precision"] for row in told} >= {"fp32", "fp16"}
    for row in told:
        assert row["agrees"]
        assert row["latency_ms"] > 0
        assert file_sha256(Path(row["path"])) == row["sha256"]
        assert read_engine(Path(row["path"])).manifest.key.name == row["engine"]
    again = rows("compile", "--bundle", file, "--target", RTX, "--out", tmp_path)[1]
    assert [row["sha256"] for row in again] == [
        row["sha256"] for row in told
    ]  # a build differs, what is kept not


def in_the_way(path: Path) -> str:
    return f": compile it anew; the file there is in the way until you remove {path}"


def test_engine_of_something_else_in_the_place_of_one_is_refused_and_the_others_are_made(
    file: Path, tmp_path: Path
) -> None:
    asked = ("compile", "--bundle", file, "--target", RTX, "--precision", "fp16", "--out", tmp_path)
    path = Path(rows(*asked)[1][0]["path"])
    known = read_engine(path).manifest
    other = replace(known, key=replace(known.key, version=2))
    write_engine(path, replace(read_engine(path), manifest=other))
    code, (refused, made) = rows(*asked, "--precision", "fp32")
    assert (code, refused["agrees"], made["agrees"]) == (1, False, True)
    assert refused["told"] == "expected an engine of version 1, got one of 2" + in_the_way(path)


def test_engine_file_that_is_damaged_says_what_to_do(file: Path, tmp_path: Path) -> None:
    asked = ("compile", "--bundle", file, "--target", RTX, "--precision", "fp16", "--out", tmp_path)
    path = Path(rows(*asked)[1][0]["path"])
    path.write_bytes(path.read_bytes()[:5000])
    code, (row,) = rows(*asked)
    assert code == 1
    assert "not an engine: " in row["told"]
    assert row["told"].endswith(in_the_way(path))
    path.unlink()
    assert rows(*asked)[0] == 0


def test_engine_that_was_kept_first_stays(file: Path, tmp_path: Path) -> None:
    (row,) = rows("compile", "--bundle", file, "--target", RTX, "--precision", "fp16", "--out", tmp_path)[1]
    path = Path(row["path"])
    first = path.read_bytes()
    engine = read_engine(path)
    engine_files.keep(path, replace(engine, plan=engine.plan + b"of another build"))
    assert path.read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == [".lock", path.name]


def test_what_a_builder_host_loads_as_code_lies_never_beside_what_is_carried(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Path | None] = []

    def seen(**settings: Any) -> Workshop:
        used.append(settings["folder"])
        return Workshop(**settings)

    monkeypatch.setattr(engines, "Workshop", seen)
    asked = ("compile", "--bundle", file, "--target", RTX, "--precision", "fp16")
    rows(*asked, "--out", tmp_path)
    rows(*asked, "--check")
    assert used == [default_root() / "builds" / RTX, None]


def test_check_compares_and_keeps_nothing(file: Path, tmp_path: Path) -> None:
    asked = (
        "compile",
        "--bundle",
        file,
        "--target",
        RTX,
        "--precision",
        "fp16",
        "--check",
        "--out",
        tmp_path,
    )
    code, said = ask(*asked)
    assert code == 0
    assert "agrees: " in said
    assert "remaining_life: at worst" in said
    assert "one row takes" in said
    assert not list(tmp_path.rglob("*.engine"))


def test_engine_that_answers_otherwise_is_not_kept_and_the_command_fails(
    bundle: Bundle, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "1.zip", replace(bundle, golden_outputs=bundle.golden_outputs + np.float32(30)))
    asked = ("compile", "--bundle", tmp_path / "1.zip", "--target", RTX, "--out", tmp_path / "out")
    code, told = rows(*asked)
    assert code == 1
    assert not any(row["agrees"] for row in told)
    assert not list((tmp_path / "out").rglob("*.engine"))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ([], "expected --out FOLDER beside --bundle, or --check"),
        (["--check", "--publish"], "signed there, with `andon model publish-engine`"),
        (["--check", "--refit"], "expected --check or --refit, got both: --check keeps nothing"),
        (["--out", "x", "--publish"], "signed there, with `andon model publish-engine`"),
        (["--out", "x", "--refit"], "expected a GPU of .* for --refit, got none: compile without it"),
        (["--check", "--precision", "int8", "--target", RTX], "int8"),
    ],
)
def test_what_a_builder_host_cannot_do_is_said(more: list[str], sentence: str, file: Path) -> None:
    with pytest.raises(ConflictError, match=sentence):
        ask("compile", "--bundle", file, "--target", RTX, *more)


def test_release_and_bundle_file_are_one_or_the_other(file: Path) -> None:
    with pytest.raises(ConflictError, match="expected a RELEASE, or --bundle FILE"):
        ask("compile", RELEASE, "--bundle", file, "--target", RTX, "--check")
    with pytest.raises(ConflictError, match="expected a RELEASE, or --bundle FILE"):
        ask("compile", "--target", RTX, "--check")
    with pytest.raises(ConflictError, match="expected --out beside --bundle alone: the hub keeps"):
        ask("compile", RELEASE, "--target", RTX, "--out", "x", "--publish")


def test_what_is_no_bundle_is_refused_with_the_command_that_makes_one(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(bundle.onnx)
    with pytest.raises(
        ConflictError, match=r"not a bundle: model.onnx: .*`andon model export RELEASE --bundle"
    ):
        ask("compile", "--bundle", tmp_path / "model.onnx", "--target", RTX, "--check")


# ------------------------------------------------------------------ the hub


@dataclass(frozen=True, kw_only=True)
class Hub:
    config: Path
    state: Path
    database: Database

    def ask(self, *words: object) -> tuple[int, str]:
        return ask(*words, "--config", self.config)

    def release(self, bundle: Bundle) -> None:
        """Its release as if it had been approved: the bundle in its place, and its hash known."""
        Stored(self.database).run("r-1")
        registry = Registry(self.database, self.state / "artifacts", Clock.real())
        gate: Mapping[str, Any] = {"passed": True, "reason": "", "checks": [], "evidence": {}}
        with self.database.transaction() as connection:
            registry.register(connection, run="r-1", onnx=bundle.onnx, manifest=bundle.manifest, gate=gate)
        path = self.state / "artifacts" / "bundles" / f"{RELEASE}.zip"
        path.parent.mkdir(parents=True)
        self.database.execute(
            "UPDATE model SET state = 'released', released = now(), bundle_path = %(path)s,"
            " bundle_sha256 = %(sha256)s",
            {"path": f"bundles/{RELEASE}.zip", "sha256": write_bundle(path, bundle)},
        )

    def delegate(self, *targets: str) -> None:
        keys.init(self.state, self.state.parent / "offline", engine_targets=targets)


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    state = tmp_path / "hub"
    state.mkdir()
    (tmp_path / "hub.toml").write_text(f'state_dir = "{state}"\ndatabase_url = "{database}"\n')
    with Database(database) as opened:
        yield Hub(config=tmp_path / "hub.toml", state=state, database=opened)


def test_engine_is_signed_under_its_targets_role_and_in_the_audit_chain(hub: Hub, bundle: Bundle) -> None:
    hub.release(bundle)
    hub.delegate(RTX)
    asked = ("compile", RELEASE, "--target", RTX, "--precision", "fp16", "--publish")
    code, said = hub.ask(*asked, "--json")
    assert code == 0
    (row,) = json.loads(said)
    assert row["published"] == f"engines/{RTX}/{row['engine']}"
    listed = Repository(hub.state).shelf.listed(f"engines-{RTX}").signed.targets
    assert listed[row["published"]].hashes["sha256"] == row["sha256"]
    (entry,) = hub.database.rows("SELECT subject, detail FROM audit WHERE action = 'engine.publish'")
    assert entry["subject"] == row["published"]
    assert entry["detail"]["sha256"] == row["sha256"]
    again = json.loads(hub.ask(*asked, "--json")[1])
    assert again[0]["sha256"] == row["sha256"]
    (told,) = json.loads(hub.ask("engines", RELEASE, "--json")[1])
    names = ("path", "target", "release", "precision", "runtime_version", "sha256", "compared_on")
    assert [told[name] for name in names] == [
        *(row["published"], RTX, RELEASE, "fp16", row["runtime_version"], row["sha256"], row["compared_on"])
    ]
    assert told["signed_by"] == hub.database.row("SELECT actor FROM audit")["actor"]
    assert "not in the audit chain" not in hub.ask("engines")[1]


def test_engine_of_a_builder_host_is_signed_once_its_hash_is_the_one_it_told(
    hub: Hub, bundle: Bundle, file: Path, tmp_path: Path
) -> None:
    hub.release(bundle)
    hub.delegate(RTX)
    made = rows(
        "compile", "--bundle", file, "--target", RTX, "--precision", "fp16", "--out", tmp_path / "usb"
    )
    (row,) = made[1]
    with pytest.raises(ConflictError, match=r"expected SHA-256 0+, got .*: bring it again"):
        hub.ask("publish-engine", row["path"], "--sha256", "0" * 64)
    with pytest.raises(ConflictError, match=r"expected the 64 digits of a SHA-256 .*, got '00'"):
        hub.ask("publish-engine", row["path"], "--sha256", "00")
    with pytest.raises(ConflictError, match=r"not an engine: 1.zip: .*: bring what `andon model compile"):
        hub.ask("publish-engine", file, "--sha256", file_sha256(file))
    shown = f" {row['sha256'].upper()} "  # as it is read from a terminal
    code, said = hub.ask("publish-engine", row["path"], "--sha256", shown)
    assert (code, said.strip()) == (0, f"signed as engines/{RTX}/{row['engine']}")
    assert not list((hub.state / "artifacts" / "engines").glob(".brought*"))
    assert hub.ask("publish-engine", row["path"], "--sha256", row["sha256"])[0] == 0


def test_other_build_of_an_engine_that_is_kept_already_is_not_signed_in_its_place(
    hub: Hub, bundle: Bundle, file: Path, tmp_path: Path
) -> None:
    hub.release(bundle)
    hub.delegate(RTX)
    (own,) = json.loads(
        hub.ask("compile", RELEASE, "--target", RTX, "--precision", "fp16", "--publish", "--json")[1]
    )
    engine = read_engine(Path(own["path"]))
    later = replace(engine, manifest=replace(engine.manifest, built="2026-11-27T12:00:00+00:00"))
    sha256 = write_engine(tmp_path / "brought", later)
    with pytest.raises(
        ConflictError, match=rf"kept here already, with SHA-256 {own['sha256']}, got {sha256}"
    ):
        hub.ask("publish-engine", tmp_path / "brought", "--sha256", sha256)
    Path(own["path"]).unlink()  # what was signed comes back, and no other takes its place
    with pytest.raises(
        ConflictError, match=rf"kept here already, with SHA-256 {own['sha256']}, got {sha256}"
    ):
        hub.ask("publish-engine", tmp_path / "brought", "--sha256", sha256)
    Path(own["path"]).unlink()
    (again,) = json.loads(
        hub.ask("compile", RELEASE, "--target", RTX, "--precision", "fp16", "--publish", "--json")[1]
    )
    assert again["sha256"] == own["sha256"]


def test_what_is_signed_is_what_was_looked_into(
    hub: Hub, bundle: Bundle, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.release(bundle)
    hub.delegate(RTX)
    (row,) = rows("compile", "--bundle", file, "--target", RTX, "--precision", "fp16", "--out", tmp_path)[1]
    path, known = Path(row["path"]), brought.check_brought

    def exchanged(*asked: Any) -> None:
        known(*asked)
        path.write_bytes(b"something else, while nobody looks")

    monkeypatch.setattr(brought, "check_brought", exchanged)
    hub.ask("publish-engine", path, "--sha256", row["sha256"])
    listed = Repository(hub.state).shelf.listed(f"engines-{RTX}").signed.targets
    assert listed[f"engines/{RTX}/{row['engine']}"].hashes["sha256"] == row["sha256"]


def test_engine_of_another_network_than_the_hubs_is_not_signed(
    hub: Hub, bundle: Bundle, tmp_path: Path
) -> None:
    hub.release(bundle)
    hub.delegate(RTX)
    other = draw(use_case.find("turbofan-rul"), seed=5)
    outputs = graphs.Runner(other.onnx, ["remaining_life", "anomaly"]).run(bundle.golden_inputs)
    write_bundle(tmp_path / "1.zip", replace(bundle, onnx=other.onnx, golden_outputs=outputs, variants={}))
    out = tmp_path / "usb"
    (row,) = rows("compile", "--bundle", tmp_path / "1.zip", "--target", RTX, "--out", out)[1]
    with pytest.raises(ConflictError, match="expected an engine of network"):
        hub.ask("publish-engine", row["path"], "--sha256", row["sha256"])


def test_nothing_is_signed_where_nobody_may_vouch_for_the_target(
    hub: Hub, bundle: Bundle, file: Path, tmp_path: Path
) -> None:
    hub.release(bundle)
    hub.ask("export", RELEASE, "--bundle", tmp_path / "brought.zip")  # which takes no key
    assert (tmp_path / "brought.zip").read_bytes() == file.read_bytes()
    for both in (["--out", "a", "--bundle", "b"], []):
        with pytest.raises(ConflictError, match="expected --out FILE for the network, or --bundle FILE"):
            hub.ask("export", RELEASE, *both)
    with pytest.raises(ConflictError, match=f"`andon keys delegate --engine-target {RTX} --offline"):
        hub.ask("compile", RELEASE, "--target", RTX, "--publish")
    hub.delegate("h100")
    with pytest.raises(ConflictError, match=f"nobody may vouch for engines of {RTX} yet"):
        hub.ask("compile", RELEASE, "--target", RTX, "--publish")
    told = f"no engine is signed yet; for h100 one may be: `andon model compile {RELEASE} --target"
    assert hub.ask("engines", RELEASE)[1].startswith(told)
    with pytest.raises(
        ConflictError, match=f"tensorrt .*; or compile on a builder host of orin-nx-jp7: .*{RELEASE}"
    ):
        hub.ask("compile", RELEASE, "--target", "orin-nx-jp7")


def test_nothing_is_signed_of_a_bundle_that_is_not_the_released_one(hub: Hub, bundle: Bundle) -> None:
    hub.release(bundle)
    hub.delegate(RTX)
    write_bundle(hub.state / "artifacts" / "bundles" / f"{RELEASE}.zip", replace(bundle, card_html="else"))
    with pytest.raises(ConflictError, match=r"expected SHA-256 .*: restore it"):
        hub.ask("compile", RELEASE, "--target", RTX, "--publish")
    (hub.state / "artifacts" / "bundles" / f"{RELEASE}.zip").unlink()
    with pytest.raises(ConflictError, match=f"the bundle of {RELEASE} is gone: restore"):
        hub.ask("export", RELEASE, "--bundle", hub.state / "x")
    hub.database.execute("UPDATE model SET state = 'removed', removed = '2026-11-01T00:00:00Z'")
    with pytest.raises(ConflictError, match="were removed on 2026-11-01 to make room: nothing new is made"):
        hub.ask("compile", RELEASE, "--target", RTX)


def test_nothing_is_signed_of_a_candidate(hub: Hub, bundle: Bundle) -> None:
    hub.release(bundle)
    hub.delegate(RTX)
    hub.database.execute("UPDATE model SET state = 'candidate', released = NULL, bundle_sha256 = NULL")
    with pytest.raises(ConflictError, match=f"{RELEASE} is not released: approve it"):
        hub.ask("compile", RELEASE, "--target", RTX, "--publish")
    with pytest.raises(ConflictError, match=f"{RELEASE} is not released: `andon model approve"):
        hub.ask("export", RELEASE, "--bundle", hub.state / "x")
    with pytest.raises(NotFoundError, match="no release named 'turbofan-rul/9'"):
        hub.ask("engines", "turbofan-rul/9")
