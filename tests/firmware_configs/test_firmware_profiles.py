"""Device profiles: what there is, and that a wrong one is refused by name."""

from collections import Counter

import pytest

from firmware_configs.errors import ProfileError
from firmware_configs.profiles import Profile, Runtime, profile, profiles


@pytest.mark.parametrize(
    "name",
    ["generic", "generic-x86", "orin-nano", "orin-nx", "agx-orin", "agx-thor", "rtx-pc", "h100-hub"],
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


@pytest.mark.parametrize("name", ["orin-nano", "orin-nx", "agx-orin", "agx-thor"])
def test_a_jetson_names_its_jetpack_and_shares_its_memory(name):
    assert profile(name).jetpack
    assert profile(name).shared_memory


def test_an_unknown_profile_is_answered_with_those_there_are():
    with pytest.raises(ProfileError, match="no device profile named 'orin'; there are agx-orin, agx-thor"):
        profile("orin")


def test_an_unknown_setting_is_refused_by_name():
    with pytest.raises(ProfileError, match="unknown settings: presicions"):
        Profile.parse(
            "x", {"summary": "", "machine": "", "target": "t", "runtime": "tensorrt", "presicions": []}
        )


def test_an_unknown_runtime_is_refused():
    settings = {"summary": "", "machine": "", "target": "t", "runtime": "tvm", "precisions": []}
    with pytest.raises(ProfileError, match="'tvm' is not a valid Runtime"):
        Profile.parse("x", settings)


def test_a_missing_setting_is_named():
    with pytest.raises(ProfileError, match="runtime"):
        Profile.parse("x", {"summary": ""})
