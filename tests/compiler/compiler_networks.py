"""Networks as the builder in ``models`` makes them, their weights drawn and not learnt; rows they are asked about."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.examples import Examples
from models.export import export
from models.interface import fault_output
from models.networks import FaultHead, Healthy, LifeHead, Network, Normalisation, perceptron
from models.use_case import UseCase
from wire.bundle import Bundle
from wire.manifest import Input, Manifest, Output

WIDTH = 40
ROWS = 400
MACHINES = 8

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """A network, and rows [n, width] such as it was normalised for."""

    onnx: bytes
    manifest: Manifest
    rows: Examples


def draw(use_case: UseCase, *, seed: int = 1, width: int = WIDTH) -> Drawn:
    """A network of ``use_case``: its heads, its hidden layers; two members each."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    mean, spread = rng.normal(0, 1000, width), np.exp(rng.normal(0, 2, width))
    classes = use_case.faults.classes if use_case.faults else ()
    hidden = use_case.network.hidden
    network = Network(
        outputs=use_case.outputs,
        normalisation=Normalisation(
            mean=torch.tensor(mean).float(), rate=torch.tensor(1 / spread).float(), clip=use_case.network.clip
        ),
        healthy=Healthy(
            centre=torch.randn(width) * 0.1,
            whitening=torch.eye(width) + 0.02 * torch.randn(width, width),
            edge=6.0,
        ),
        life=LifeHead(
            members=tuple(perceptron(width, hidden, 1).eval() for _ in range(2)), cap=use_case.life.cap
        )
        if use_case.task == "remaining-life"
        else None,
        faults=FaultHead(
            members=tuple(perceptron(width, hidden, len(classes) + 1).eval() for _ in range(2)),
            outputs=tuple(map(fault_output, classes)),
        )
        if classes
        else None,
    )
    features = (mean + spread * rng.normal(0, 1, (ROWS, width))).astype(np.float32)
    return Drawn(
        onnx=export(network, features),
        manifest=manifest_of(use_case, width),
        rows=rows_of(features, use_case),
    )


def manifest_of(use_case: UseCase, width: int) -> Manifest:
    highs = {"remaining_life": use_case.life.cap, "anomaly": 10.0}
    return Manifest(
        use_case=use_case.name,
        version=1,
        release=f"{use_case.name}/1",
        machine_class=use_case.machine_class,
        feature_set=use_case.feature_set,
        inputs=tuple(Input(name=f"f{place}", unit="1") for place in range(width)),
        outputs=tuple(
            Output(name=name, unit="1", low=0.0, high=highs.get(name, 1.0)) for name in use_case.outputs
        ),
        rtol=use_case.gate.rtol,
        atol=use_case.gate.atol,
        interval=None,
        conditions=None,
        alarms=(),
        opset=17,
        lineage={},
    )


def rows_of(features: Floats, use_case: UseCase) -> Examples:
    """``features`` [n, width] as rows of ``MACHINES`` machines, each run from sound to a failure."""
    count, width = features.shape
    own = count // MACHINES
    faults = use_case.faults.classes if use_case.faults else ()
    left = np.tile(np.linspace(use_case.life.cap * 1.2, 0, own), MACHINES).astype(np.float32)
    late = np.tile(np.arange(own) >= own // 2, MACHINES)
    return Examples(
        machines=tuple(f"m-{number}" for number in range(MACHINES)),
        sites=("here",) * MACHINES,
        faults=faults,
        names=tuple(f"f{place}" for place in range(width)),
        units=("1",) * width,
        machine=np.repeat(np.arange(MACHINES, dtype=np.int32), own),
        times=np.arange(count, dtype=np.int64),
        life=np.ones(count, np.int32),
        age=np.tile(np.arange(own), MACHINES).astype(np.float32),
        remaining=left,
        health=late.astype(np.int8),
        fault=np.where(late, np.repeat(np.arange(MACHINES) % max(len(faults), 1), own), -1).astype(np.int16),
        features=features,
    )


def bundle_of(drawn: Drawn, outputs: Floats, inputs: Floats, **variants: bytes) -> Bundle:
    return Bundle(
        manifest=drawn.manifest,
        onnx=drawn.onnx,
        golden_inputs=inputs,
        golden_outputs=outputs,
        variants=variants,
    )
