import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wire.bundle import Bundle, read_bundle, write_bundle
from wire.engine import Engine, EngineKey, EngineManifest, check_key, read_engine, write_engine
from wire.errors import ArchiveError, BundleError, EngineError
from wire.manifest import Manifest, Output
from wire.precision import Precision, tolerated

KEY = EngineKey(
    use_case="motor-health",
    version=3,
    onnx_sha256="0123456789abcdef" * 4,
    target="orin-nx-jp6",
    runtime="tensorrt",
    runtime_version="10.13.2.6",
    precision=Precision.FP16,
)
ENGINE = Engine(
    manifest=EngineManifest(
        key=KEY, compute_capabilities=("8.7",), stripped=False, worst=0.25, built="2026-11-27T12:00:00Z"
    ),
    plan=b"plan",
)
MANIFEST = Manifest(
    use_case="motor-health",
    version=3,
    release="motor-health/3",
    machine_class="motor-pump",
    feature_set="vibration/1",
    inputs=(),
    outputs=(Output(name="remaining_life", unit="h", low=0, high=500),),
    rtol=0.01,
    atol=1.0,
)


def test_an_engine_survives_its_file(tmp_path: Path) -> None:
    write_engine(tmp_path / "e", ENGINE)
    found = read_engine(tmp_path / "e")
    assert (found.manifest, found.plan) == (ENGINE.manifest, b"plan")


def test_an_engine_is_named_by_what_decides_whether_it_fits() -> None:
    assert KEY.name == "motor-health/3.fp16.10.13.2.6.0123456789abcdef.engine"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("target", "agx-orin-jp6"),
        ("runtime", "tensorrt-rtx"),
        ("runtime_version", "10.3.0"),
        ("precision", Precision.INT8),
        ("onnx_sha256", "f" * 64),
        ("version", 4),
    ],
)
def test_an_engine_for_something_else_is_refused_with_both_values(name: str, other: object) -> None:
    with pytest.raises(
        EngineError, match=rf"{name.replace('_', ' ')} .*{other}.*, got .*{getattr(KEY, name)}"
    ):
        check_key(replace(KEY, **{name: other}), KEY)


@pytest.mark.parametrize("engine", [replace(ENGINE, plan=b"")])
def test_an_engine_without_a_plan_is_refused(tmp_path: Path, engine: Engine) -> None:
    write_engine(tmp_path / "e", engine)
    with pytest.raises(EngineError, match="expected a plan"):
        read_engine(tmp_path / "e")


def test_a_truncated_engine_is_refused(tmp_path: Path) -> None:
    write_engine(tmp_path / "e", ENGINE)
    whole = (tmp_path / "e").read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "e").write_bytes(whole[:size])
        with pytest.raises(EngineError):
            read_engine(tmp_path / "e")


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"key": 1}', b"\xff"])
def test_a_description_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(EngineError, match="not the description"):
        EngineManifest.from_json(payload)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("worst",), float("nan")),
        (("worst",), float("inf")),
        (("worst",), -1.0),
        (("worst",), "0"),
        (("stripped",), "false"),
        (("compute_capabilities",), "8.7"),
        (("compute_capabilities",), [8.7]),
        (("built",), "2026\x1b[2J"),
        (("compared_on",), "x" * 201),
        (("key", "version"), 3.7),
        (("key", "version"), True),
        (("key", "version"), 0),
        (("key", "runtime_version"), 10),
        (("key", "use_case"), "motor\nhealth"),
        (("key", "precision"), "fp4"),
    ],
)
def test_a_description_that_would_be_read_as_something_else_is_refused(
    place: tuple[str, ...], value: object
) -> None:
    row = json.loads(ENGINE.manifest.to_json())
    inner = row
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(EngineError, match="not the description of an engine"):
        EngineManifest.from_json(json.dumps(row).encode())


def test_a_bundle_carries_its_network_in_other_precisions(tmp_path: Path) -> None:
    one = np.ones((1, 0), np.float32)
    variants = {Precision.INT8: b"eight", Precision.FP16: b"half"}
    made = Bundle(
        manifest=MANIFEST, onnx=b"whole", golden_inputs=one, golden_outputs=one[:, :0], variants=variants
    )
    again = replace(made, variants=dict(reversed(variants.items())))
    assert write_bundle(tmp_path / "b", made) == write_bundle(tmp_path / "c", again)
    found = read_bundle(tmp_path / "b")
    expected = {"fp32": b"whole", "tf32": b"whole", "fp16": b"half", "bf16": None, "int8": b"eight"}
    assert {precision: found.network(precision) for precision in Precision} == expected


def test_a_bundle_whose_variants_are_out_of_order_is_refused(tmp_path: Path) -> None:
    from wire.archive import write_archive
    from wire.bundle import NAMES

    names = (*NAMES, "model.int8.onnx", "model.fp16.onnx")
    write_archive(tmp_path / "b", dict.fromkeys(names, b"x"), largest=9999)
    with pytest.raises(BundleError, match="expected manifest"):
        read_bundle(tmp_path / "b")


def test_a_member_that_is_not_known_here_is_named_with_what_to_do(tmp_path: Path) -> None:
    from wire.archive import write_archive
    from wire.bundle import NAMES

    write_archive(tmp_path / "b", dict.fromkeys((*NAMES, "model.fp4.onnx"), b"x"), largest=9999)
    with pytest.raises(
        BundleError, match=r"got 'model\.fp4\.onnx': .*newer one \(upgrade Andon here first\)"
    ):
        read_bundle(tmp_path / "b")


def test_an_archive_that_nobody_would_read_is_not_written(tmp_path: Path) -> None:
    from wire.archive import read_archive, write_archive

    members = {"a": b"", "second": b"q" * 999}
    write_archive(tmp_path / "whole", members, largest=9999)
    size = (tmp_path / "whole").stat().st_size
    write_archive(tmp_path / "just", members, largest=size)
    assert read_archive(tmp_path / "just", [*members], largest=size) == members
    with pytest.raises(ArchiveError, match=f"expected at most {size - 1} bytes, .*, got {size}"):
        write_archive(tmp_path / "over", members, largest=size - 1)
    assert not (tmp_path / "over").exists()


def test_a_coarser_precision_may_be_off_by_a_share_of_the_range() -> None:
    expected = np.array([[100.0]], np.float32)
    assert tolerated(MANIFEST, expected, Precision.FP32) == pytest.approx(1 + 0.01 * 100)
    assert tolerated(MANIFEST, expected, Precision.INT8) == pytest.approx(1 + 0.01 * 100 + 0.03 * 500)
