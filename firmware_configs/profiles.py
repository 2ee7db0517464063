"""What kinds of device there are: one TOML file each, whose comments name the source of every fact.

A profile's ``target`` is what an engine is compiled for. Two profiles never share one: a TensorRT engine fits
one kind of GPU and one TensorRT version. One of TensorRT for RTX fits several kinds, which are one profile
then; ``onnxruntime`` targets run the signed ONNX itself.
"""

import tomllib
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Self

from firmware_configs.errors import ProfileError


class Runtime(StrEnum):
    """What executes a model on the device."""

    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt-rtx"


@dataclass(frozen=True, slots=True)
class PowerMode:
    name: str  # as nvpmodel says it
    watts: int  # 0: no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    name: str
    summary: str
    machine: str  # as `uname -m` says it; "" for any
    target: str  # the compile target
    runtime: Runtime
    precisions: tuple[str, ...]  # that engines may be run in here
    scalars_per_second: int  # samples that half a core takes: from the feed to the outbox, with features
    waveform_samples_per_second: int  # likewise, of all channels
    soc: str = ""
    compute_capabilities: tuple[str, ...] = ()  # CUDA's "8.7"; empty without a GPU
    streaming_multiprocessors: int = 0  # 0: none, or it differs from one device of this kind to the next
    memory_gb: int = 0  # of the GPU, or of the module where CPU and GPU share it; 0: it differs
    shared_memory: bool = False  # CPU and GPU see the same memory: mapped buffers need no transfer
    jetpack: str = ""  # the oldest that is meant
    cuda: str = ""  # what that JetPack brings; empty where the owner installs it
    tensorrt: str = ""  # likewise
    power_modes: tuple[PowerMode, ...] = ()  # of nvpmodel, by their number
    note: str = ""

    @classmethod
    def parse(cls, name: str, settings: dict[str, Any]) -> Self:
        """Check one profile's settings; unknown ones are refused by name."""
        known = {field.name for field in fields(cls)} - {"name"}
        if unknown := settings.keys() - known:
            raise ProfileError(f"profile {name}: unknown settings: {', '.join(sorted(unknown))}")
        tuples = {key: tuple(value) for key, value in settings.items() if isinstance(value, list)}
        try:
            runtime = Runtime(settings["runtime"])
            modes = tuple(PowerMode(*mode) for mode in settings.get("power_modes", ()))
            made = {"name": name, "runtime": runtime, "power_modes": modes}
            return cls(**{**settings, **tuples, **made})
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileError(f"profile {name}: {error}") from error


def profile(name: str) -> Profile:
    """The profile ``name``; the error lists what there is."""
    try:
        return profiles()[name]
    except KeyError as error:
        known = ", ".join(sorted(profiles()))
        raise ProfileError(f"no device profile named {name!r}; there are {known}") from error


@cache
def profiles() -> dict[str, Profile]:
    """Every profile by name."""
    found = {}
    for file in files("firmware_configs").joinpath("profiles").iterdir():
        name, dot, suffix = file.name.rpartition(".")
        if dot and suffix == "toml":
            found[name] = Profile.parse(name, tomllib.loads(file.read_text(encoding="utf-8")))
    return found
