"""Engines on a device's disk: nothing is believed for lying there, and what was compiled here stays here."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from edge_agent import engine_store
from edge_agent.engine_facts import EngineFacts, keys
from edge_agent.engine_store import EngineStore
from edge_agent.errors import InferenceError
from edge_agent.updates.disk import Disk
from firmware_configs.profiles import profiles
from wire.bundle import Bundle, file_sha256
from wire.engine import Engine, EngineManifest, write_engine
from wire.errors import EngineError
from wire.manifest import Input, Manifest, Output
from wire.precision import Precision

MANIFEST = Manifest(
    use_case="motor-health", version=3, release="motor-health/3", machine_class="motor-pump",
    feature_set="vibration-trend/1", inputs=(Input(name="rms", unit="1"),),
    outputs=(Output(name="anomaly", unit="1", low=0, high=1),), rtol=1e-4, atol=1e-5,
)  # fmt: skip
BUNDLE = Bundle(
    manifest=MANIFEST,
    onnx=b"the network",
    golden_inputs=np.zeros((1, 1), np.float32),
    golden_outputs=np.zeros((1, 1), np.float32),
    variants={Precision.FP16: b"the network in FP16"},
)
FACTS = EngineFacts(
    target="orin-nx-jp7",
    runtime="tensorrt",
    runtime_version="10.16.2",
    precisions=(Precision.INT8, Precision.FP16, Precision.FP32),
)
KEYS = keys(BUNDLE, FACTS)
PLAN, GPU = b"a plan\nof two lines", "Orin, driver 1"


class HastyDisk(Disk):
    def sync(self, path):
        assert path.exists()


@pytest.fixture
def store(tmp_path):
    return EngineStore(tmp_path, HastyDisk())


def made(tmp_path, key, plan=PLAN):
    manifest = EngineManifest(
        key=key, compute_capabilities=("8.7",), stripped=False, worst=0.1, built="today"
    )
    write_engine(tmp_path / "made", Engine(manifest=manifest, plan=plan))
    return tmp_path / "made"


def brought(store, tmp_path, key, inside=None, plan=PLAN):
    """As if it had been fetched."""
    file = made(tmp_path, inside or key, plan)
    place = store.place(key, file_sha256(file))
    file.rename(place)
    return place


def test_the_engines_that_fit_are_named_by_what_this_device_is_and_has(tmp_path):
    assert [key.precision for key in KEYS] == [Precision.FP16, Precision.FP32]  # the bundle lacks INT8
    assert [key.onnx_sha256 for key in KEYS] == [
        hashlib.sha256(network).hexdigest() for network in (b"the network in FP16", b"the network")
    ]
    assert KEYS[0].name == f"motor-health/3.fp16.10.16.2.{KEYS[0].onnx_sha256[:16]}.engine"


@pytest.mark.parametrize("name", [name for name, each in profiles().items() if each.compute_capabilities])
def test_facts_are_those_of_the_profile(name):
    profile = profiles()[name]
    facts = EngineFacts.of(profile, "1.2.3", (Precision.FP32,))
    assert (facts.target, facts.runtime) == (profile.target, str(profile.runtime))


def test_the_best_one_that_is_here_is_found(store, tmp_path):
    assert store.find(BUNDLE, FACTS) is None
    brought(store, tmp_path, KEYS[1])
    assert store.find(BUNDLE, FACTS).manifest.key == KEYS[1]
    brought(store, tmp_path, KEYS[0])
    assert store.find(BUNDLE, FACTS).manifest.key == KEYS[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target": "agx-orin-jp7"}, "expected an engine of target orin-nx-jp7, got agx-orin-jp7"),
        ({"runtime_version": "10.13.2"}, "expected an engine of runtime version 10.16.2, got 10.13.2"),
        ({"runtime": "tensorrt-rtx"}, "expected an engine of runtime tensorrt, got tensorrt-rtx"),
        ({"onnx_sha256": KEYS[0].onnx_sha256[:16] + "0" * 48}, "expected an engine of onnx sha256"),
        ({"precision": Precision.FP32}, "expected an engine of precision fp16, got fp32"),
        ({"version": 2}, "expected an engine of version 3, got 2"),
        ({"use_case": "turbofan-rul"}, "expected an engine of use case motor-health, got turbofan-rul"),
    ],
    ids=["target", "TensorRT version", "runtime", "network", "precision", "version", "use case"],
)
def test_an_engine_of_another_key_is_not_admitted_and_not_found(store, tmp_path, change, reason):
    place = brought(store, tmp_path, KEYS[0], replace(KEYS[0], **change))
    with pytest.raises(EngineError, match=reason):
        store.admit(KEYS[0], place)
    assert not place.exists()
    place = brought(store, tmp_path, KEYS[0], replace(KEYS[0], **change))
    assert store.find(BUNDLE, FACTS) is None
    assert not place.exists()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: b"", "cannot be read"),
        (lambda content: b"garbage", "cannot be read"),
        (lambda content: content[:-30], "cannot be read"),
        (lambda content: content.replace(b"of two", b"or two"), "cannot be read"),
    ],
    ids=["empty", "garbage", "truncated", "a byte changed"],
)
def test_damaged_bytes_are_not_admitted_not_found_and_gone(store, tmp_path, damage, reason):
    place = brought(store, tmp_path, KEYS[0])
    whole = place.read_bytes()
    place.write_bytes(damage(whole))
    assert store.find(BUNDLE, FACTS) is None
    assert not place.exists()
    place.write_bytes(damage(whole))
    with pytest.raises(EngineError, match=reason):
        store.admit(KEYS[0], place)
    assert not place.exists()


def test_an_engine_without_a_plan_is_not_admitted(store, tmp_path):
    with pytest.raises(EngineError, match="expected a plan, got none"):
        store.admit(KEYS[0], brought(store, tmp_path, KEYS[0], plan=b""))


def test_a_sound_engine_with_another_hash_than_the_signed_one_is_not_found(store, tmp_path):
    """Two builds differ although both say the same of themselves."""
    place = brought(store, tmp_path, KEYS[0])
    made(tmp_path, KEYS[0], b"another plan").rename(place)
    assert store.find(BUNDLE, FACTS) is None


def test_what_nobody_vouches_for_is_withdrawn_and_the_rest_stays(store, tmp_path):
    places = [brought(store, tmp_path, key) for key in KEYS]
    assert not store.withdraw(KEYS[0], places[0].suffix[1:])
    assert store.withdraw(KEYS[1])
    assert store.find(BUNDLE, FACTS).manifest.key == KEYS[0]
    assert not places[1].exists()


def test_a_plan_compiled_here_comes_back_for_its_key_and_gpu_alone(store, tmp_path):
    store.put_local(KEYS[0], GPU, PLAN)
    assert EngineStore(tmp_path, HastyDisk()).local(KEYS[0], GPU) == PLAN
    assert store.local(KEYS[0], "another GPU") is None
    assert store.local(KEYS[1], GPU) is None
    assert store.local(replace(KEYS[0], runtime_version="10.17.0"), GPU) is None


def test_a_plan_compiled_here_is_for_nobody_else(store, tmp_path):
    store.put_local(KEYS[0], GPU, PLAN)
    assert store.find(BUNDLE, FACTS) is None  # it never passes for a shared one
    (file,) = (tmp_path / "engines" / "motor-health").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in (file.parent, file.parent.parent)} == {0o700}
    with pytest.raises(EngineError):
        store.admit(KEYS[0], file)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content + b"!",
        lambda content: content.replace(b"two", b"six"),
        lambda content: content.replace(b"driver 1", b"driver 2"),
        lambda content: PLAN,
    ],
    ids=["empty", "truncated", "longer", "plan changed", "header changed", "no header"],
)
def test_a_damaged_plan_compiled_here_is_removed_and_compiled_again(store, tmp_path, damage):
    store.put_local(KEYS[0], GPU, PLAN)
    (file,) = (tmp_path / "engines" / "motor-health").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert store.local(KEYS[0], GPU) is None
    assert not file.exists()


def test_a_crash_while_a_plan_is_written_leaves_the_old_one(store, tmp_path):
    class Unplugged(HastyDisk):
        def rename(self, source, target):
            raise OSError("no power")

    store.put_local(KEYS[0], GPU, PLAN)
    with pytest.raises(InferenceError, match="no power"):
        EngineStore(tmp_path, Unplugged()).put_local(KEYS[0], GPU, b"a newer one")
    assert store.local(KEYS[0], GPU) == PLAN


def test_a_disk_that_is_full_gives_back_what_was_written_of_a_plan(store, tmp_path):
    class Full(HastyDisk):
        def create(self, path, content):
            super().create(path, content[:5])
            raise OSError("no space left on device")

    with pytest.raises(InferenceError, match=r"its engine cannot be kept in .*: no space left on device"):
        EngineStore(tmp_path, Full()).put_local(KEYS[0], GPU, PLAN)
    assert list((tmp_path / "engines" / "motor-health").iterdir()) == []


def test_where_nothing_can_be_removed_nothing_else_stops(store, tmp_path):
    """A disk that became read-only: the sound engines there are found, and whoever tidies up goes on."""

    class ReadOnly(HastyDisk):
        def unlink(self, path):
            raise OSError("read-only file system")

    damaged, _ = (brought(store, tmp_path, key) for key in KEYS)
    damaged.write_bytes(b"garbage")
    store.put_local(KEYS[0], GPU, PLAN)
    frozen = EngineStore(tmp_path, ReadOnly())
    assert frozen.find(BUNDLE, FACTS).manifest.key == KEYS[1]
    assert frozen.local(KEYS[0], GPU) == PLAN
    frozen.keep("motor-health", [])
    assert damaged.exists()


def test_the_store_keeps_few_of_a_release_and_none_of_one_that_is_gone(store, tmp_path):
    for number in range(2 * engine_store.KEPT):
        store.put_local(KEYS[0], f"GPU {number}", PLAN)
        key = replace(KEYS[0], runtime_version=f"10.{number}")
        store.admit(key, brought(store, tmp_path, key))
    folder = tmp_path / "engines" / "motor-health"
    assert len(list(folder.iterdir())) == 2 * engine_store.KEPT
    assert store.local(KEYS[0], f"GPU {2 * engine_store.KEPT - 1}") == PLAN
    store.keep("motor-health", ["motor-health/3"])
    assert len(list(folder.iterdir())) == 2 * engine_store.KEPT
    store.keep("motor-health", ["motor-health/33"])
    assert list(folder.iterdir()) == []
