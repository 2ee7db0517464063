"""Which ways to run a network a device tries, and in which order: its profile and its operator decide.

native, in each precision that device and bundle have -> ONNX Runtime on the GPU -> on the CPU -> the hub
"""

from collections.abc import Sequence
from typing import Protocol

from edge_agent.runners import onnx
from firmware_configs.profiles import Profile, Runtime
from wire.bundle import Bundle
from wire.precision import Precision

AUTO, REMOTE = "auto", "remote"
# Where the operator names none: half the bytes at a small cost first; TF32 is for those who ask for it.
USUAL = (Precision.FP16, Precision.BF16, Precision.INT8, Precision.FP32)

_AFTER = {
    onnx.TENSORRT: (onnx.TENSORRT, onnx.CUDA, onnx.CPU),
    onnx.CUDA: (onnx.CUDA, onnx.CPU),
}
RUNNERS = (AUTO, *_AFTER, onnx.CPU)  # what ``[inference] runner`` may be: the first one that is tried


class Settings(Protocol):
    """``[inference]`` of the agent's configuration."""

    @property
    def runner(self) -> str: ...
    @property
    def precisions(self) -> Sequence[str]: ...


def precisions(profile: Profile, settings: Settings) -> tuple[Precision, ...]:
    """Those that engines are run in here, the best one first; a bundle may lack some."""
    wanted = tuple(map(Precision, settings.precisions)) or USUAL
    return tuple(precision for precision in wanted if precision in profile.precisions)


def native(profile: Profile, settings: Settings) -> bool:
    """Whether this device is to run engines of its profile's library."""
    return settings.runner == AUTO and profile.runtime is not Runtime.ONNXRUNTIME


def order(profile: Profile, settings: Settings, bundle: Bundle) -> list[tuple[str, Precision]]:
    """Name and precision of each way, the best one first; ONNX Runtime on the CPU is always among them."""
    first: list[tuple[str, Precision]] = []
    names = _AFTER.get(settings.runner, (onnx.CPU,))
    if native(profile, settings):
        names = (onnx.CUDA, onnx.CPU)
        first = [
            (str(profile.runtime), precision)
            for precision in precisions(profile, settings)
            if bundle.network(precision) is not None
        ]
    return [*first, *((name, Precision.FP32) for name in names)]
