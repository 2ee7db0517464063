"""Every shipped network compiles for every target that needs no GPU for it; nothing that was not held up is signed."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from compiler_networks import Drawn, bundle_of, draw

from cloud_hub.compiler import engine_lines
from cloud_hub.compiler.brought import check_brought
from cloud_hub.compiler.engines import Builder
from cloud_hub.compiler.half import to_fp16
from cloud_hub.compiler.quantised import to_int8
from cloud_hub.compiler.targets import check_host, precisions, profile_of
from cloud_hub.errors import ConflictError
from edge_agent.engine_facts import EngineFacts, keys
from firmware_configs.engines.gpu import Gpu
from firmware_configs.errors import EngineLibraryError
from firmware_configs.profiles import Runtime, profile, profiles
from models import graphs, use_case
from wire.bundle import Bundle
from wire.engine import Engine, EngineManifest
from wire.precision import Precision

pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed: pip install tensorrt-rtx")

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RTX = [one for one in profiles().values() if one.runtime is Runtime.TENSORRT_RTX]
OUTPUTS = use_case.find("turbofan-rul").outputs


def bundle_for(name: str, *, width: int = 40) -> Bundle:
    drawn: Drawn = draw(use_case.find(name), width=width)
    inputs = drawn.rows.features[:16]
    names = [output.name for output in drawn.manifest.outputs]
    return bundle_of(
        drawn,
        graphs.Runner(drawn.onnx, names).run(inputs),
        inputs,
        **{
            Precision.FP16: to_fp16(drawn.onnx),
            Precision.INT8: to_int8(drawn.onnx, drawn.rows.features),
        },
    )


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return bundle_for("turbofan-rul")


@pytest.fixture(scope="module")
def rtx(bundle: Bundle) -> Builder:
    return Builder.of(bundle, RTX[0])


@pytest.fixture(scope="module")
def half(rtx: Builder) -> Engine:
    return rtx.compile(Precision.FP16, NOW).engine


@pytest.mark.parametrize("target", [one.target for one in RTX])
@pytest.mark.parametrize("name", use_case.names())
def test_every_shipped_network_compiles_for_every_rtx_target_without_a_gpu(name: str, target: str) -> None:
    made = bundle_for(name)
    profile = profile_of(target)
    builder = replace(Builder.of(made, profile), driver=None)
    for precision in precisions(profile, made):
        found = builder.compile(precision, NOW)
        assert found.comparison.agrees, found.comparison.told()
        assert len(found.engine.plan) > 10_000
        assert found.engine.manifest.compute_capabilities == profile.compute_capabilities


def test_engine_that_no_gpu_ran_says_that_nobody_has_heard_it(rtx: Builder) -> None:
    found = replace(rtx, driver=None).compile(Precision.FP32, NOW)
    assert found.engine.manifest.compared_on == ""
    assert EngineManifest.from_json(found.engine.manifest.to_json()) == found.engine.manifest
    told = "\n".join(engine_lines.lines(engine_lines.facts(found)))
    assert "no GPU of the target is here: every device compares the engine itself" in told
    assert "remaining_life: at worst" in told


def test_hub_and_device_call_an_engine_by_the_same_key(rtx: Builder, bundle: Bundle) -> None:
    facts = EngineFacts.of(rtx.profile, rtx.library.version, (Precision.FP16, Precision.FP32))
    assert [rtx.key(one) for one in facts.precisions] == list(keys(bundle, facts))


def test_answers_of_another_network_do_not_agree(bundle: Bundle) -> None:
    other = replace(bundle, golden_outputs=bundle.golden_outputs + np.float32(30))
    found = replace(Builder.of(other, RTX[0]), driver=None).compile(Precision.FP32, NOW)
    assert not found.comparison.agrees
    told = "\n".join(engine_lines.lines(engine_lines.facts(found)))
    assert "NOT KEPT" in told


def test_answers_that_are_no_number_are_told_in_plain_json(bundle: Bundle) -> None:
    broken = bundle.golden_outputs.copy()
    broken[2, 0] = np.nan
    found = replace(Builder.of(replace(bundle, golden_outputs=broken), RTX[0]), driver=None).compile(
        Precision.FP32, NOW
    )
    row = engine_lines.facts(found)
    assert not row["agrees"]
    assert row["outputs"][0]["share"] is None
    assert "remaining_life: no number, on golden input 2" in "\n".join(engine_lines.lines(row))
    assert found.engine.manifest.to_json()  # which takes no infinity


# ------------------------------------------------------------------ targets


def test_what_is_not_compiled_for_is_named_with_what_is() -> None:
    with pytest.raises(ConflictError, match=r"expected a target out of .*rtx.*, got 'toaster'"):
        profile_of("toaster")
    with pytest.raises(ConflictError, match=r"nothing is compiled for cpu, .*signed ONNX itself.*rtx"):
        profile_of("cpu")
    with pytest.raises(
        ConflictError, match=r"got 'orin-nx': the target of the profile orin-nx is orin-nx-jp7"
    ):
        profile_of("orin-nx")


def test_precision_that_target_or_bundle_lacks_is_named(bundle: Bundle) -> None:
    strict = replace(RTX[0], precisions=("fp32", "fp16"))
    assert precisions(strict, bundle) == (Precision.FP32, Precision.FP16)
    with pytest.raises(ConflictError, match=r"expected a precision out of fp32, fp16 for .*, got int8"):
        precisions(strict, bundle, [Precision.INT8])
    bare = replace(bundle, variants={})
    assert precisions(strict, bare) == (Precision.FP32,)
    with pytest.raises(ConflictError, match="turbofan-rul/1 has no fp16: its use case does not ask for it"):
        precisions(strict, bare, [Precision.FP16])


def test_products_of_ten_bits_are_compiled_only_where_they_are_asked_for(bundle: Bundle) -> None:
    able = replace(RTX[0], precisions=("fp32", "tf32", "fp16"))
    assert precisions(able, bundle) == (Precision.FP32, Precision.FP16)
    assert precisions(able, bundle, [Precision.TF32]) == (Precision.TF32,)


def test_host_with_another_gpu_is_refused_before_anything_is_built() -> None:
    nano = profile("orin-nano")
    gpu = Gpu(name="Orin", compute_capability="8.7", multiprocessors=8, memory_bytes=int(7.4 * (1 << 30)))
    check_host(nano, gpu)
    with pytest.raises(ConflictError, match=r"compute capability 8\.7 for .*, got H100 with 9\.0"):
        check_host(nano, replace(gpu, name="H100", compute_capability="9.0"))
    with pytest.raises(
        ConflictError, match=r"expected 8 multiprocessors for .*, got Orin with 4: .*nvpmodel"
    ):
        check_host(nano, replace(gpu, multiprocessors=4))


def test_modules_with_equal_gpus_are_told_apart_by_their_memory() -> None:
    nano, nx, agx = map(profile, ("orin-nano", "orin-nx", "agx-orin"))
    gpu = Gpu(name="Orin", compute_capability="8.7", multiprocessors=8, memory_bytes=int(7.4 * (1 << 30)))
    larger = replace(gpu, memory_bytes=int(15.3 * (1 << 30)))
    check_host(nx, larger)
    with pytest.raises(ConflictError, match=r"16 GB of memory for orin-nx-jp7, got Orin with 7\.4 GB"):
        check_host(nx, gpu)
    with pytest.raises(ConflictError, match=r"8 GB of memory for orin-nano-jp7, got Orin with 15\.3 GB"):
        check_host(nano, larger)
    with pytest.raises(ConflictError, match=r"64 GB of memory for agx-orin-jp7"):
        check_host(agx, replace(larger, multiprocessors=16))


def test_another_card_of_the_same_family_is_told_that_it_needs_no_shared_engine() -> None:
    hub = profile("h100-hub")
    card = Gpu(name="H100 PCIe", compute_capability="9.0", multiprocessors=114, memory_bytes=79 << 30)
    check_host(hub, replace(card, multiprocessors=132))
    with pytest.raises(
        ConflictError, match=r"got H100 PCIe with 114: that is another card.*compiles its own"
    ):
        check_host(hub, card)
    with pytest.raises(ConflictError, match=r"80 GB of memory for h100, got H100 NVL with 93\.0 GB"):
        check_host(hub, replace(card, name="H100 NVL", multiprocessors=132, memory_bytes=93 << 30))


def test_target_whose_library_is_not_here_says_what_to_do(bundle: Bundle) -> None:
    thor = profile("agx-thor")
    with pytest.raises((EngineLibraryError, ConflictError), match=r"JetPack|compute capability"):
        Builder.of(bundle, thor)


# ------------------------------------------------------------------ engines of builder hosts


def test_engine_of_this_release_may_be_signed(half: Engine, bundle: Bundle, rtx: Builder) -> None:
    check_brought(half, bundle, rtx.profile)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"use_case": "motor-health"}, "use case turbofan-rul, got one of motor-health"),
        ({"version": 2}, "version 1, got one of 2"),
        ({"target": "h100"}, "target .*, got one of h100"),
        ({"runtime": "tensorrt"}, "runtime tensorrt-rtx, got one of tensorrt"),
        ({"onnx_sha256": "0" * 64}, "network .*, got one of 0000"),
        ({"precision": Precision.BF16}, "network one in bf16, got one of"),
        ({"precision": Precision.TF32}, "network .*, got one of"),
        ({"runtime_version": "1.6.1.120"}, r"expected a plan of tensorrt-rtx 1\.6\.1\.120, got \d+\.\d+\."),
        ({"runtime_version": "../../1.7"}, r"of a version such as 10\.16\.2\.10, got"),
    ],
)
def test_engine_of_anything_else_is_refused_by_name(
    change: dict[str, object], sentence: str, half: Engine, bundle: Bundle, rtx: Builder
) -> None:
    strange = replace(half.manifest, key=replace(half.manifest.key, **change))
    with pytest.raises(ConflictError, match=sentence):
        check_brought(replace(half, manifest=strange), bundle, rtx.profile)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"stripped": True}, "expected an engine with its weights, got one without"),
        ({"compute_capabilities": ("8.6",)}, "compute capability 8.6, 8.9, 12.0, got one of 8.6"),
        ({"built": "some time"}, "expected the time that it was built at, got 'some time'"),
        ({"worst": float("nan")}, "its builder host found the engine nan%"),
    ],
)
def test_engine_that_says_something_else_of_itself_is_refused(
    change: dict[str, object], sentence: str, half: Engine, bundle: Bundle, rtx: Builder
) -> None:
    with pytest.raises(ConflictError, match=sentence):
        check_brought(replace(half, manifest=replace(half.manifest, **change)), bundle, rtx.profile)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (b"\x7fELF" + bytes(99), r"expected a plan of tensorrt-rtx, got b'\x7fELF' in front"),
        (b"ftrt" + bytes(99), "expected a plan of tensorrt-rtx, got one of tensorrt: compile it anew"),
        (b"vtrt" + bytes(20) + bytes((10, 13, 3, 9)), r"got 10\.13\.3\.9: compile it anew"),
    ],
)
def test_plan_that_is_not_what_its_description_says_is_never_signed(
    plan: bytes, sentence: str, half: Engine, bundle: Bundle, rtx: Builder
) -> None:
    with pytest.raises(ConflictError, match=re.escape(sentence) if "ELF" in sentence else sentence):
        check_brought(replace(half, plan=plan), bundle, rtx.profile)


def test_engine_that_its_builder_host_found_too_far_off_is_never_signed(
    half: Engine, bundle: Bundle, rtx: Builder
) -> None:
    far = replace(half, manifest=replace(half.manifest, worst=1.2))
    with pytest.raises(ConflictError, match="120% of what may differ away from the oracle: it is not signed"):
        check_brought(far, bundle, rtx.profile)


def test_engine_of_tensorrt_that_nobody_has_heard_is_never_signed(half: Engine, bundle: Bundle) -> None:
    thor = profile("agx-thor")
    key = replace(half.manifest.key, target=thor.target, runtime="tensorrt", runtime_version="10.16.2.10")
    silent = replace(
        half,
        manifest=replace(half.manifest, key=key, compute_capabilities=("11.0",), compared_on=""),
    )
    with pytest.raises(ConflictError, match="expected an engine that its builder host has heard"):
        check_brought(silent, bundle, thor)
    told = replace(silent.manifest, compared_on="Thor")
    with pytest.raises(ConflictError, match="expected a plan of tensorrt, got one of tensorrt-rtx"):
        check_brought(replace(silent, manifest=told), bundle, thor)
    made = b"ftrt" + bytes(20) + bytes((10, 16, 2, 10)) + bytes(99)
    check_brought(Engine(manifest=told, plan=made), bundle, thor)
