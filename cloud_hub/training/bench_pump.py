"""How well pump-anomaly finds a closing valve on SKAB (measured), beside detectors of the textbook.

Protocol. Each of the 16 runs of ``valve1`` is a machine. Its first 400 readings are
the training part, as usual for SKAB, although a few of them are labelled anomalous:
labels are read by the scoring alone. The device learns the machine's level from the
first 200, the network learns how far sound machines wander from the next 200 of all
runs; the limit is the use case's, fixed before anything is scored. Rivals are fitted
to the 400 readings of each run, their limits set on the same. Everybody is scored on
the readings after them, one by one, and everybody's alarm waits for the same number
of readings in a row, to open as to close.

At equal false alarms: in each run the product gets the limit under which it alarms no
more than the rival did, and has to miss less. A rival that always alarms misses
nothing, so nobody can beat it there.

The feature set was drawn up on normal readings and on the labels of four runs, named
before any was looked at (``DEVELOPED_ON``); the other twelve are told apart.
``anomaly-free`` is another operating point (four times the flow) and served for no
learning: it only shows what the same limit does there.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from cloud_hub.training import anomaly_baselines, product
from cloud_hub.training.bench_recording import examples, record
from cloud_hub.training.detection import Rates, Run, pool
from cloud_hub.training.recording import MachineRows
from kernels.alarm import AlarmPolicy, Direction, run
from models import graphs
from models.interface import ANOMALY
from models.use_case import UseCase, find
from wire.clock import to_datetime

Row = dict[str, Any]

USE_CASE = "pump-anomaly"
TRAINING_PART = 400  # readings at the start of a run
DEVELOPED_ON = (0, 5, 10, 15)  # runs whose labels were looked at while the feature set was drawn up
SECONDS = 120  # of training
ALL_RUNS, LEAST_WINS = 16, 11
PAPER = "Conv-AE on all of SKAB"  # the best published: F1 0.78, false alarms 0.136, missed 0.280
AIMS: Mapping[str, Row] = {  # of all runs
    "F1": {"reference": PAPER, "reference_value": 0.78, "bar": ">= 1"},
    "false-alarm rate": {"bar": "<= 0.15"},
    "missed-alarm rate": {"reference": PAPER, "reference_value": 0.2802},
}
RIVALS: Mapping[str, Callable[..., NDArray[np.float64]]] = {
    "always-alarm": anomaly_baselines.always_alarm,
    "PCA T2+Q": anomaly_baselines.principal_components,
    "isolation forest": anomaly_baselines.isolation_forest,
}
BEATABLE = ("PCA T2+Q", "isolation forest")


def figures(quick: bool, data: Path) -> Iterator[Row]:
    """For the runs in ``data``/skab; a quick run is the whole one, as it takes seconds."""
    folder, use_case = data / "skab", find(USE_CASE)
    began = time.monotonic()
    with TemporaryDirectory() as truth:
        rows = record(["replay", "skab", str(folder / "valve1"), "--keep-time"], Path(truth))
        told = [json.loads(line) for line in (Path(truth) / "anomalies.jsonl").read_text().splitlines()]
    made = _learn(rows, use_case)
    seconds = time.monotonic() - began
    anomalies = {(line["machine"], line["time"]) for line in told if line["anomaly"]}
    runs = sorted((_run(own, folder, made, anomalies, use_case) for own in rows), key=lambda one: one.number)
    yield {
        "figure": f"{USE_CASE}: features and training",
        "value": seconds,
        "unit": "s",
        "bar": f"<= {SECONDS}",
        "exact": True,
    }
    yield from _pooled(f"{USE_CASE}, {len(runs)} runs", runs)
    apart = [one for one in runs if one.number not in DEVELOPED_ON]
    yield from _pooled(f"{USE_CASE}, the {len(apart)} runs not developed on", apart)
    yield _elsewhere(folder, made, use_case)
    for one in runs:
        yield from _single(one)


def _learn(rows: Sequence[MachineRows], use_case: UseCase) -> bytes:
    """The graph, out of the sound rows of the training parts."""
    every = examples(rows, [], use_case)
    place = np.concatenate([np.arange(len(own.times)) for own in sorted(rows, key=lambda own: own.machine)])
    return product.make(every.where(place < use_case.anomaly.healthy_rows), use_case).onnx


def _run(
    rows: MachineRows, folder: Path, graph: bytes, anomalies: set[tuple[str, str]], use_case: UseCase
) -> Run:
    number = int(rows.machine.rsplit("-", 1)[1])
    readings = np.loadtxt(folder / "valve1" / f"{number}.csv", delimiter=";", skiprows=1, usecols=range(1, 9))
    before = TRAINING_PART - (len(readings) - len(rows.times))  # rows of the training part
    if before != use_case.anomaly.healthy_rows:
        raise DatasetError(
            f"expected {use_case.anomaly.healthy_rows} rows of the first {TRAINING_PART} readings of "
            f"{rows.machine}, got {before}: the feature set and the use case have to fit"
        )
    sound, judged = readings[:TRAINING_PART], readings[TRAINING_PART:]
    scores = {name: score(sound, judged) for name, score in RIVALS.items()}
    scores[USE_CASE] = _ask(graph, rows)[before:]
    times = [to_datetime(int(time_us)).isoformat() for time_us in rows.times[before:]]
    return Run(
        number=number,
        scores=scores,
        anomalous=np.array([(rows.machine, when) in anomalies for when in times]),
        policy=_policy(use_case),
    )


def _ask(graph: bytes, rows: MachineRows) -> NDArray[np.float64]:
    return graphs.Runner(graph, [ANOMALY]).run(rows.features)[:, 0].astype(np.float64)


def _policy(use_case: UseCase) -> AlarmPolicy:
    (alarm,) = use_case.alarms
    assert alarm.threshold is not None, "pump-anomaly states its limit"
    assert alarm.clear is not None, "pump-anomaly states its limit"
    return AlarmPolicy(
        output=alarm.output,
        threshold=alarm.threshold,
        clear=alarm.clear,
        persistence=alarm.persistence,
        direction=Direction.ABOVE,
    )


def _pooled(label: str, runs: Sequence[Run]) -> Iterator[Row]:
    """Every detector over all readings of ``runs``, and how often the product misses less."""
    for detector in (USE_CASE, *RIVALS):
        found = pool(one.rates(detector) for one in runs)
        who = "the product" if detector == USE_CASE else detector
        for title, value in _named(found).items():
            aim = AIMS[title] if detector == USE_CASE and len(runs) == ALL_RUNS else {}
            yield {
                "figure": f"{label}: {title} of {who}",
                "value": value,
                "unit": "1",
                "exact": True,
                **aim,
            }
    for rival in RIVALS:
        yield _wins(label, rival, runs)


def _named(found: Rates) -> dict[str, float]:
    return {"F1": found.f1, "false-alarm rate": found.false_rate, "missed-alarm rate": found.missed_rate}


def _wins(label: str, rival: str, runs: Sequence[Run]) -> Row:
    pairs = []
    for one in runs:
        theirs = one.rates(rival)
        pairs.append((one.least_missed(USE_CASE, theirs.false_rate), theirs.missed_rate))
    alike = sum(mine == theirs for mine, theirs in pairs)
    judged = rival in BEATABLE and len(runs) == ALL_RUNS
    return {
        "figure": f"{label}: missing less at the false alarms of {rival} ({alike} alike)",
        "value": sum(mine < theirs for mine, theirs in pairs),
        "unit": "{run}",
        "exact": True,
        **({"bar": f">= {LEAST_WINS}"} if judged else {}),
    }


def _elsewhere(folder: Path, graph: bytes, use_case: UseCase) -> Row:
    """False alarms where nothing is wrong, at an operating point that nothing was learnt from."""
    with TemporaryDirectory() as truth:
        (rows,) = record(["replay", "skab", str(folder / "anomaly-free")], Path(truth))
    alarm = run(_policy(use_case), _ask(graph, rows)).active
    return {
        "figure": f"{USE_CASE}, anomaly-free at four times the flow: false-alarm rate of the product",
        "value": float(alarm.mean()),
        "unit": "1",
    }


def _single(one: Run) -> Iterator[Row]:
    label = f"{USE_CASE}, run {one.number}"
    for title, value in _named(one.rates(USE_CASE)).items():
        yield {"figure": f"{label}: {title}", "value": value, "unit": "1"}
    for rival in BEATABLE:
        theirs = one.rates(rival)
        beside = {"reference": rival, "reference_value": theirs.missed_rate} if theirs.missed else {}
        yield {
            "figure": f"{label}: missed at the false alarms ({theirs.false_rate:.3f}) of {rival}",
            "value": one.least_missed(USE_CASE, theirs.false_rate),
            "unit": "1",
            **beside,
        }
