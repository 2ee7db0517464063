"""Device profiles: what there is, that its facts agree with one another, and that a wrong one is refused by name."""

import re
import tomllib
from collections import Counter
from importlib.resources import files

import pytest

from firmware_configs.engines.library import find
from firmware_configs.errors import ProfileError
from firmware_configs.profiles import PowerMode, Profile, Runtime, profile, profiles
from wire.precision import Precision

JETSONS = ["orin-nano", "orin-nx", "agx-orin", "agx-thor"]
RTX = [name for name, each in profiles().items() if each.runtime is Runtime.TENSORRT_RTX]
SETTINGS = {
    "summary": "",
    "machine": "",
    "target": "t",
    "runtime": "onnxruntime",
    "precisions": [],
    "scalars_per_second": 1,
    "waveform_samples_per_second": 1,
}


def text(name):
    return files("firmware_configs").joinpath(f"profiles/{name}.toml").read_text()


@pytest.mark.parametrize(
    "name",
    ["generic", "generic-x86", "generic-arm64", *JETSONS, "rtx-pc", "h100-hub"],
)
def test_the_known_devices_have_a_profile(name):
    assert profile(name).name == name


def test_no_two_profiles_share_a_compile_target():
    assert max(Counter(each.target for each in profiles().values()).values()) == 1


@pytest.mark.parametrize("name", profiles())
def test_an_engine_needs_a_gpu_and_a_cpu_needs_none(name):
    found = profile(name)
    assert bool(found.compute_capabilities) == (found.runtime is not Runtime.ONNXRUNTIME)
    assert "fp32" in found.precisions


@pytest.mark.parametrize("name", profiles())
def test_precisions_are_those_that_networks_are_made_in_each_once(name):
    found = profile(name).precisions
    assert sorted(set(found)) == sorted(found)
    assert {*found} <= {*Precision}


@pytest.mark.parametrize("name", profiles())
def test_a_profile_says_what_it_can_take(name):
    found, best = profile(name), profile("generic-x86")
    assert 0 < found.scalars_per_second <= best.scalars_per_second  # that one was measured
    assert 0 < found.waveform_samples_per_second <= best.waveform_samples_per_second


@pytest.mark.parametrize("name", JETSONS)
def test_a_jetson_names_its_software_its_power_modes_and_shares_its_memory(name):
    found = profile(name)
    assert found.shared_memory
    assert found.soc
    assert found.memory_gb
    assert found.streaming_multiprocessors
    assert (found.cuda, found.tensorrt) == ("13.2", "10.16")  # what comes with it is one thing for all
    assert [mode.watts for mode in found.power_modes].count(0) == 1  # one without a limit


@pytest.mark.parametrize("name", JETSONS)
def test_no_profile_means_a_jetpack_whose_python_is_too_old_for_this_agent(name):
    """TensorRT's bindings are for the Python of their JetPack: 3.10 in JetPack 6, 3.12 in JetPack 7."""
    found = profile(name)
    assert int(found.jetpack.split(".")[0]) >= 7
    assert found.target.endswith(f"-jp{found.jetpack.split('.')[0]}")


@pytest.mark.parametrize("name", ["orin-nano", "orin-nx", "agx-orin"])
def test_an_orin_that_stays_with_jetpack_6_is_told_what_to_do(name):
    assert "move to JetPack 7.2, or run the profile generic-arm64" in profile(name).note
    assert profile("generic-arm64").runtime is Runtime.ONNXRUNTIME


def test_every_rtx_gpu_has_one_target_and_the_library_compiles_for_it():
    """Engines are portable among the capabilities of one profile."""
    capabilities = [one for name in RTX for one in profile(name).compute_capabilities]
    assert sorted(capabilities) == sorted(set(capabilities)) == ["12.0", "8.6", "8.9"]
    pytest.importorskip("tensorrt_rtx")
    known = find(Runtime.TENSORRT_RTX).module.ComputeCapability.__members__
    assert [one for one in capabilities if f"SM{one.replace('.', '')}" not in known] == []


@pytest.mark.parametrize("name", [name for name, each in profiles().items() if each.compute_capabilities])
def test_every_fact_of_a_gpu_names_a_source_that_the_file_lists(name):
    sources = set(re.findall(r"^#   \[(\w+)\]", text(name), re.MULTILINE))
    facts = set(tomllib.loads(text(name))) & {
        "soc", "compute_capabilities", "streaming_multiprocessors", "memory_gb", "shared_memory", "jetpack",
        "cuda", "tensorrt", "power_modes", "precisions",
    }  # fmt: skip
    named = dict(re.findall(r"^(\w+) = [^#\n]*# \[(\w+)\]", text(name), re.MULTILINE))
    assert facts - named.keys() == set()
    assert {*named.values()} <= sources


def test_power_modes_stand_in_the_order_of_their_numbers():
    assert profile("orin-nano").power_modes[2] == PowerMode("MAXN_SUPER", 0)
    assert profile("agx-orin").power_modes[3] == PowerMode("MODE_50W", 50)


def test_an_unknown_profile_is_answered_with_those_there_are():
    with pytest.raises(ProfileError, match="no device profile named 'orin'; there are agx-orin, agx-thor"):
        profile("orin")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"presicions": []}, "unknown settings: presicions"),
        ({"runtime": "tvm"}, "'tvm' is not a valid Runtime"),
        ({"power_modes": [["MAXN"]]}, "missing 1 required positional argument: 'watts'"),
    ],
    ids=["setting", "runtime", "power mode"],
)
def test_what_a_profile_cannot_say_is_refused_by_name(changes, reason):
    with pytest.raises(ProfileError, match=reason):
        Profile.parse("x", SETTINGS | changes)


@pytest.mark.parametrize("missing", SETTINGS)
def test_a_missing_setting_is_named(missing):
    with pytest.raises(ProfileError, match=missing):
        Profile.parse("x", {name: value for name, value in SETTINGS.items() if name != missing})
