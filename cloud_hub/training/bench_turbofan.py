"""How well turbofan-rul foresees what C-MAPSS engines (simulated by NASA) have left, beside the papers.

Protocol. One set of settings, those of the use case, for every subset: they were
chosen on validation units cut from the training files. Seeds 1 to 5, fixed beforehand,
each train one product as ``andon model train`` would, on the training file alone;
the table of operating conditions is part of it. Only then the test file and its true
remaining lives are read, once, and every product is asked once about each test unit,
after its last cycle. *clip*: truth and prediction are capped at the cap of the use
case (125 cycles), as the papers do; *raw*: the truth as it was, which a capped model
cannot reach. An interval is held against the capped truth, as it was calibrated;
"below 50" goes by the *predicted* life, which is what a reader of the interval knows.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from lightgbm import LGBMRegressor
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from cloud_hub.training import foresight, product
from cloud_hub.training.bench_recording import examples, label_lines, record
from cloud_hub.training.product import Product
from cloud_hub.training.score import Score, score
from cloud_hub.training.uncertainty import binomial_band
from kernels import interval
from models import graphs
from models.conditions import derive
from models.examples import Examples
from models.interface import REMAINING_LIFE
from models.use_case import UseCase, find

USE_CASE = "turbofan-rul"
SEEDS = (1, 2, 3, 4, 5)
SHORT = 50.0  # cycles of predicted life below which coverage is told apart
SECONDS = 120  # of a processor, for the training of all seeds of a subset together
BARS = {"FD001": 11.3, "FD002": 10.8}  # of the clip RMSE
PUBLISHED = {  # clip RMSE and NASA score, last cycle of each test unit, cap 125
    "FD001": {"MTSTAN": (10.97, 175.0), "MS-DCNN": (11.44, 196.0), "untuned MLP 128-64": (11.37, 216.0)},
    "FD002": {"MTSTAN": (16.81, 1154.0), "FFVE": (12.55, 772.0), "untuned MLP 128-64": (10.68, 487.0)},
}
TREES: dict[str, Any] = {"n_estimators": 300, "learning_rate": 0.03, "min_child_samples": 100}
TREES |= {"subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.4}

Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Of one product about [n] test units after their last cycle, in cycles; ``truth`` is not capped."""

    predicted: Floats
    low: Floats
    high: Floats
    truth: Floats
    cap: float

    @property
    def clip(self) -> Score:
        return score(self.predicted, self.truth, cap=self.cap)

    @property
    def raw(self) -> Score:
        return score(self.predicted, self.truth, cap=None)

    @property
    def covered(self) -> NDArray[np.bool_]:
        truth = np.minimum(self.truth, self.cap)
        return (self.low <= truth) & (truth <= self.high)

    @property
    def width(self) -> Floats:
        return np.minimum(self.high, self.cap) - self.low

    def below(self, life: float) -> Self:
        """Those of a predicted life below ``life``."""
        rows = self.predicted < life
        return replace(
            self,
            predicted=self.predicted[rows],
            low=self.low[rows],
            high=self.high[rows],
            truth=self.truth[rows],
        )


def figures(quick: bool, data: Path) -> Iterator[Row]:
    """For each C-MAPSS subset in ``data`` (or its folder ``cmapss``); quick: the first one, one seed."""
    trains = subsets(data)
    use_case = find(USE_CASE)
    for train in trains[:1] if quick else trains:
        yield from _figures(train, use_case, SEEDS[:1] if quick else SEEDS)


def subsets(data: Path) -> list[Path]:
    """The training files, sorted; DatasetError where there are none, or one has no test file beside it."""
    folder = data / "cmapss" if (data / "cmapss").is_dir() else data
    found = [data] if data.is_file() else sorted(folder.glob("train_FD*.txt*"))
    if not found:
        raise DatasetError(f"expected C-MAPSS files such as train_FD001.txt.gz in {folder}, found none")
    if lacking := [path for path in found if not _test_of(path).is_file()]:
        raise DatasetError(f"expected {_test_of(lacking[0])} beside {lacking[0]}, found no such file")
    return found


def _test_of(train: Path) -> Path:
    return train.with_name(train.name.replace("train_", "test_", 1))


def _figures(train: Path, use_case: UseCase, seeds: Sequence[int]) -> Iterator[Row]:
    name = train.name.split("_")[1].split(".")[0].upper()
    learning = _learning(train, use_case)
    began = time.process_time()
    products = [product.make(learning, use_case, seed=seed) for seed in seeds]
    seconds = time.process_time() - began
    trees = LGBMRegressor(**TREES, random_state=1, n_jobs=1, verbose=-1)
    shown = products[0].examples
    trees.fit(shown.features, np.minimum(shown.remaining, use_case.life.cap))
    answers, oracle = _answers(_test_of(train), products, trees, use_case)
    label = f"{USE_CASE} {name}, {len(seeds)} seed{'s' * (len(seeds) > 1)}"
    yield {
        "figure": f"{label}: training of all, processor time",
        "value": seconds,
        "unit": "s",
        "bar": f"<= {SECONDS}",
    }
    yield from errors(label, name, answers)
    yield {"figure": f"{label}: clip RMSE of LightGBM on the same inputs", **_cycles(oracle.rmse)}
    yield from coverage(f"{label}: 90 % interval", answers, use_case.interval.coverage)
    short = [own.below(SHORT) for own in answers]
    yield from coverage(f"{label}: 90 % interval below {SHORT:g}", short, use_case.interval.coverage)


def _learning(train: Path, use_case: UseCase) -> Examples:
    with TemporaryDirectory() as folder:
        rows = record(["replay", "cmapss", str(train)], Path(folder))
        return examples(rows, label_lines(Path(folder)), use_case)


def _answers(
    test: Path, products: Sequence[Product], trees: LGBMRegressor, use_case: UseCase
) -> tuple[list[Answers], Score]:
    """The one look at the test file: what each product says of it, and how far off the trees are."""
    with TemporaryDirectory() as folder:
        rows = examples(record(["replay", "cmapss", str(test)], Path(folder)), [], use_case)
        lines = (Path(folder) / "rul.jsonl").read_text().splitlines()
    told = foresight.read_truths(map(json.loads, lines))
    truths = {one.machine: one.remaining_life for one in told}
    truth = np.array([truths[machine] for machine in rows.machines], np.float64)
    answers = [_ask(made, rows, truth, use_case) for made in products]
    last = _last(rows, products[0])
    return answers, score(trees.predict(last), truth, cap=use_case.life.cap)


def _ask(made: Product, rows: Examples, truth: Floats, use_case: UseCase) -> Answers:
    assert made.interval is not None, "a product that foresees life has an interval"
    place = use_case.outputs.index(REMAINING_LIFE)
    predicted = graphs.Runner(made.onnx, use_case.outputs).run(_last(rows, made))[:, place]
    low, high = interval.apply(made.interval, predicted)
    return Answers(
        predicted=predicted.astype(np.float64), low=low, high=high, truth=truth, cap=use_case.life.cap
    )


def _last(rows: Examples, made: Product) -> NDArray[np.float32]:
    """[machines, width] what ``made`` takes after each machine's last reading."""
    assert made.conditions is not None, "turbofan-rul is read under conditions"
    return last_inputs(rows, derive(rows, made.conditions))


def last_inputs(rows: Examples, derived: Examples) -> NDArray[np.float32]:
    """[machines, width] of the rows ``derived`` from ``rows``, that at each machine's last reading.

    DatasetError names the machines without one: an older reading is no answer for the last.
    """
    ends = _ends(derived)
    answered = {derived.machines[derived.machine[end]]: derived.times[end] for end in ends}
    wanted = {rows.machines[rows.machine[end]]: rows.times[end] for end in _ends(rows)}
    silent = [name for name in rows.machines if name not in wanted or answered.get(name) != wanted[name]]
    if silent:
        raise DatasetError(
            f"expected an answer after the last reading of each of {len(rows.machines)} test units, got none "
            f"for {len(silent)}, {silent[0]} first: it ends under conditions that no training unit showed"
        )
    return np.ascontiguousarray(derived.features[ends])


def _ends(rows: Examples) -> NDArray[np.intp]:
    """The place of each machine's last row; rows come by machine and time."""
    return np.flatnonzero(np.append(np.diff(rows.machine), 1)[: len(rows)])


def errors(label: str, name: str, answers: Sequence[Answers]) -> Iterator[Row]:
    """How far off the answers of each seed are on subset ``name``, in both conventions, beside the papers."""
    rmse = [own.clip.rmse for own in answers]
    bar = {"bar": f"<= {BARS[name]}"} if name in BARS else {}
    yield {"figure": f"{label}: clip RMSE, mean", **_cycles(np.mean(rmse)), **bar}
    if len(rmse) > 1:
        yield {"figure": f"{label}: clip RMSE, deviation over seeds", **_cycles(np.std(rmse, ddof=1))}
    nasa = float(np.mean([own.clip.nasa for own in answers]))
    for paper, (error, points) in PUBLISHED.get(name, {}).items():
        beside = {"reference": paper, "reference_value": error}
        yield {"figure": f"{label}: clip RMSE beside {paper}", **_cycles(np.mean(rmse)), **beside}
        beside = {"reference": paper, "reference_value": points}
        yield {"figure": f"{label}: clip NASA score beside {paper}", "value": nasa, "unit": "1", **beside}
    yield {"figure": f"{label}: clip NASA score, mean", "value": nasa, "unit": "1"}
    yield {"figure": f"{label}: raw RMSE, mean", **_cycles(np.mean([own.raw.rmse for own in answers]))}
    raw = float(np.mean([own.raw.nasa for own in answers]))
    yield {"figure": f"{label}: raw NASA score, mean", "value": raw, "unit": "1"}


def coverage(label: str, answers: Sequence[Answers], wanted: float) -> Iterator[Row]:
    """Mean coverage over the seeds inside the two-sided 95 % binomial band for the units of a test file."""
    counts = [len(own.covered) for own in answers]
    units = round(float(np.mean(counts)))
    low, high = binomial_band(wanted, units)
    share = float(np.mean([own.covered.mean() for own in answers]))
    for sign, limit in ((">=", low), ("<=", high)):
        yield {
            "figure": f"{label}, {units} units, mean coverage {sign}",
            "value": share,
            "unit": "1",
            "bar": f"{sign} {limit:.4g}",
        }
    yield {"figure": f"{label}, mean width", **_cycles(np.mean([own.width.mean() for own in answers]))}


def _cycles(value: Any) -> Row:
    return {"value": float(value), "unit": "{cycle}"}
