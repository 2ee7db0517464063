"""Networks small enough to know their answers: remaining life and anomaly as given sums of the features."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_agent.runners.onnx import OnnxRunner
from edge_agent.updates import LoadedRelease
from wire.manifest import AlarmRule, Input, IntervalTable, Manifest, Output


def graph(
    width: int, *, life: float, slope: float = 0.0, divide_by: float = 1.0, name: str = "features"
) -> bytes:
    """remaining_life = (life + slope * the first feature) / divide_by; anomaly = 0.25."""
    weights = np.zeros((width, 2), np.float32)
    weights[0, 0] = slope
    bias = np.array([life, 0.25], np.float32)
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Gemm", [name, "weights", "bias"], ["both"]),
                helper.make_node("Split", ["both", "sizes"], ["undivided", "anomaly"], axis=1),
                helper.make_node("Div", ["undivided", "divisor"], ["remaining_life"]),
            ],
            "small",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])],
            [
                helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 1])
                for output in ("remaining_life", "anomaly")
            ],
            [
                numpy_helper.from_array(weights, "weights"),
                numpy_helper.from_array(bias, "bias"),
                numpy_helper.from_array(np.array([1, 1], np.int64), "sizes"),
                numpy_helper.from_array(np.array(divide_by, np.float32), "divisor"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def release(
    names: tuple[str, ...], version: int, *, alarms: tuple[AlarmRule, ...] = (), **weights: float
) -> LoadedRelease:
    """``engine-life/<version>`` for machines of class engine with trend/1."""
    manifest = Manifest(
        use_case="engine-life",
        version=version,
        release=f"engine-life/{version}",
        machine_class="engine",
        feature_set="trend/1",
        inputs=tuple(Input(name=name, unit="1") for name in names),
        outputs=(
            Output(name="remaining_life", unit="h", low=0.0, high=100.0),
            Output(name="anomaly", unit="1", low=0.0, high=10.0),
        ),
        rtol=1e-3,
        atol=1e-3,
        interval=IntervalTable(coverage=0.9, edges=(0.0, 50.0), lower=(5.0, 20.0), upper=(10.0, 30.0)),
        alarms=alarms,
    )
    runner = OnnxRunner(graph(len(names), **weights))
    return LoadedRelease(release=manifest.release, manifest=manifest, runner=runner)


BELOW_20 = AlarmRule(output="remaining_life", direction="below", threshold=20.0, clear=30.0, persistence=2)


@dataclass
class FixedReleases:
    """The releases of a device whose updates stand still; remembers what it was told."""

    now: LoadedRelease
    old: LoadedRelease | None = None
    observed: list[dict[str, object]] = field(default_factory=list)

    def running(self) -> dict[str, LoadedRelease]:
        return {self.now.manifest.use_case: self.now}

    def shadow(self, use_case: str) -> LoadedRelease | None:
        return self.old

    def observe(self, use_case, features, outputs, old_outputs, *, seconds, error=None) -> None:
        self.observed.append({"outputs": outputs, "old": old_outputs, "seconds": seconds, "error": error})
