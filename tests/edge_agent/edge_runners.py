"""Executions of one small network that a test can break, and a clock whose hands it moves."""

from dataclasses import dataclass, field

import numpy as np
from edge_models import graph

from edge_agent.errors import InferenceError
from edge_agent.runners.chain import Chain
from edge_agent.runners.link import Way
from edge_agent.runners.standing import Bounds
from edge_agent.updates.golden import check_golden
from wire.bundle import Bundle
from wire.manifest import Input, Manifest, Output
from wire.precision import Precision

WIDTH = 3
BOUNDS = Bounds(max_ms=50.0, times=10.0, window=8, first_wait_s=30.0, longest_wait_s=120.0)


def bundle(life: float = 40.0, slope: float = 2.0) -> Bundle:
    """remaining_life = life + slope * the first feature, anomaly = 0.25, as ``edge_models.graph`` has it."""
    manifest = Manifest(
        use_case="engine-life",
        version=3,
        release="engine-life/3",
        machine_class="engine",
        feature_set="trend/1",
        inputs=tuple(Input(name=f"x{place}", unit="1") for place in range(WIDTH)),
        outputs=(
            Output(name="remaining_life", unit="h", low=0.0, high=100.0),
            Output(name="anomaly", unit="1", low=0.0, high=10.0),
        ),
        rtol=1e-4,
        atol=1e-4,
    )
    inputs = np.array([[1, 0, 0], [2, 5, 0], [-3, 0, 1]], np.float32)
    return Bundle(
        manifest=manifest,
        onnx=graph(WIDTH, life=life, slope=slope),
        golden_inputs=inputs,
        golden_outputs=answers(inputs, life, slope),
    )


def answers(features: np.ndarray, life: float = 40.0, slope: float = 2.0) -> np.ndarray:
    return np.stack([life + slope * features[:, 0], np.full(len(features), 0.25)], axis=1).astype(np.float32)


@dataclass
class Hands:
    """A clock: seconds that pass because a test, or a runner of one, says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Twin:
    """The same network by other means; what is wrong with it can be changed while it runs."""

    name: str
    clock: Hands
    precision: Precision = Precision.FP32
    takes_s: float = 0.0001
    off_by: float = 0.0
    off_by_alone: float = 0.0  # where it is asked a single row
    error: Exception | None = None
    asked: int = 0
    closed: int = 0

    def run(self, features: np.ndarray) -> np.ndarray:
        self.asked += 1
        self.clock.now += self.takes_s
        if self.error is not None:
            raise self.error
        off_by = self.off_by + (self.off_by_alone if len(features) == 1 else 0.0)
        return answers(features) + np.float32(off_by)

    def close(self) -> None:
        self.closed += 1


@dataclass
class Rig:
    """Three ways to run one network, the best one first; ``made`` counts how often each was made."""

    clock: Hands = field(default_factory=Hands)
    told: list = field(default_factory=list)
    made: dict = field(default_factory=dict)
    twins: dict = field(default_factory=dict)
    refusals: dict = field(default_factory=dict)  # by name: why it cannot be made

    def twin(self, name: str, **wrong) -> Twin:
        self.twins[name] = Twin(name, self.clock, **wrong)
        return self.twins[name]

    def way(self, name: str, **options) -> Way:
        def make(_: Bundle) -> Twin:
            self.made[name] = self.made.get(name, 0) + 1
            if name in self.refusals:
                raise self.refusals[name]
            return self.twins[name]

        if name not in self.twins:
            self.twin(name)
        precision = self.twins[name].precision
        return Way(name=name, precision=precision, make=make, **options)

    def chain(self, *ways: Way, bounds: Bounds = BOUNDS) -> Chain:
        return Chain(
            bundle(),
            ways or (self.way("best"), self.way("second"), self.way("last")),
            check=check_golden,
            bounds=bounds,
            clock=self.clock,
            tell=self.told.append,
        )


def standings(chain: Chain) -> dict[str, str]:
    return {way["runner"]: way["standing"] for way in chain.describe()["ways"]}


def reason_of(chain: Chain, name: str) -> str:
    return next(way["reason"] for way in chain.describe()["ways"] if way["runner"] == name)


LOST = InferenceError("the GPU fell off the bus")
