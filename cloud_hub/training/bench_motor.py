"""How well motor-health foresees failures of machines that it has never met, beside a limit on loudness.

Everything here is simulated (``andon sim record``); no label, parameter or time to failure
is in the streams that features are made of. Protocol, fixed before measuring:

- A fleet to learn from, with seeds of its own. The product is trained on it as ``andon model
  train`` would, and the alarms of the use case are chosen on it by cost, by answers of networks
  that had not learnt from the machine asked about.
- Then other machines, with other seeds and every range of traits, conditions and lives
  ``WIDER`` times as wide, are asked about once. At least 30 % of their lives end healthy.
- What an alarm is worth is said in ``bench_motor_lives``, by the simulator's truth.
- The limit on loudness is the RMS of the louder axis in a window, as the features tell it.
  It has the persistence of the product's alarms, and of all thresholds and hystereses the one
  that catches most on the fleet to learn from with at most ``MOST_FALSE`` false alarms a
  machine-month there: as many as the product is allowed. It is judged leniently: its
  alarms may come and go. Where it misses less than a fifth, the simulator is too easy.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from itertools import product as every
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_hub.training import alarm_policy
from cloud_hub.training.bench_motor_lives import LEAST_LEFT, TrueLife, Worth, read_lives, worth
from cloud_hub.training.bench_recording import examples, label_lines, record
from cloud_hub.training.product import Product, make
from kernels import interval
from kernels.alarm import AlarmPolicy, Direction, run
from models import graphs
from models.examples import Examples, Floats, Mask
from models.interface import FAULT, REMAINING_LIFE
from models.use_case import UseCase, find
from wire.manifest import AlarmRule

USE_CASE = "motor-health"
DAYS, EVERY_S = 40, 7200
WIDER = 1.5
MOST_FALSE = 0.2  # a machine-month
LOUDNESS = ("vibration_x.log_rms", "vibration_y.log_rms")
FLOOR = 1e-3  # m/s2: features are log(1 + x / floor)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How many machines to learn from and to judge on, and their seeds."""

    learning: tuple[int, int] = (80, 4101)  # machines, seed
    judging: tuple[int, int] = (120, 4202)


QUICK = Scale(learning=(24, 4103), judging=(12, 4204))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """What devices tell of some machines, and what only the simulator knows."""

    rows: Examples
    lives: Mapping[str, Sequence[TrueLife]]

    def worth(self, active: Mask, *, lenient: bool = False) -> Worth:
        """Of alarms that were open after the rows under ``active`` [n]; places are rows of the fleet."""
        edges = np.flatnonzero(np.diff(self.rows.machine, prepend=-1, append=-1))
        return Worth.sum(
            worth(
                self.rows.times[first:end],
                active[first:end],
                self.lives[self.rows.machines[self.rows.machine[first]]],
                first=int(first),
                lenient=lenient,
            )
            for first, end in pairwise(edges)
        )

    def active(self, rule: AlarmRule, values: NDArray[np.floating]) -> Mask:
        """[n] is ``rule`` open after this row? ``values`` [n] are those it watches."""
        policy = AlarmPolicy(
            output=rule.output,
            threshold=rule.threshold,
            clear=rule.clear,
            persistence=rule.persistence,
            direction=Direction(rule.direction),
        )
        active = np.zeros(len(self.rows), bool)
        for number in range(len(self.rows.machines)):
            own = self.rows.machine == number
            active[own] = run(policy, values[own]).active
        return active

    @property
    def healthy_share(self) -> float:
        """Of the lives that ended while watched, those that ended without damage."""
        last_us = int(self.rows.times.max())
        ended = [life for lives in self.lives.values() for life in lives if life.end_us <= last_us]
        return sum(not life.failed and life.damaged_us is None for life in ended) / max(len(ended), 1)

    @property
    def loudness(self) -> NDArray[np.float64]:
        """[n] m/s2, of the louder axis."""
        columns = [self.rows.names.index(name) for name in LOUDNESS]
        found = np.expm1(self.rows.features[:, columns].astype(np.float64)) * FLOOR
        louder: NDArray[np.float64] = found.max(axis=1)
        return louder


def figures(quick: bool, data: Path | None = None) -> Iterator[Row]:
    """The rows of motor-health; ``data`` is not needed, as its machines are simulated."""
    scale, use_case = QUICK if quick else Scale(), find(USE_CASE)
    learning = fleet(*scale.learning, use_case, "--healthy", "30%")
    began = time.process_time()
    made = make(learning.rows, use_case)
    rules = alarm_policy.choose(learning.rows, made.unseen, use_case)
    seconds = time.process_time() - began
    loud = loudest(learning, rules)
    judging = fleet(*scale.judging, use_case, "--healthy", "40%", "--spread", str(WIDER))
    yield {"figure": "motor-health: training, processor time", "value": seconds, "unit": "s", "bar": "<= 120"}
    yield from _judged(made, rules, judging, use_case)
    yield from _beside(loud, judging)


def fleet(machines: int, seed: int, use_case: UseCase, *more: str) -> Fleet:
    """``machines`` machines of ``seed``, watched for ``DAYS``."""
    size = ("--machines-per-device", str(machines), "--seed", str(seed), "--days", str(DAYS))
    with TemporaryDirectory(prefix="andon-bench-") as folder:
        truth = Path(folder)
        rows = record(["machine", *size, "--interval", str(EVERY_S), "--erosion", "felt", *more], truth)
        lives = read_lives((truth / "failures.jsonl").read_text().splitlines())
        return Fleet(rows=examples(rows, label_lines(truth), use_case), lives=lives)


def loudest(learning: Fleet, rules: Sequence[AlarmRule]) -> AlarmRule:
    """The limit on loudness that catches most on ``learning`` within ``MOST_FALSE``."""
    persistence = round(median(rule.persistence for rule in rules))
    levels = learning.loudness
    found = []
    for threshold, keep in every(np.quantile(levels, np.linspace(0.5, 0.9995, 60)), (1.0, 0.9, 0.8, 0.6)):
        rule = AlarmRule(
            output="rms",
            direction="above",
            threshold=float(threshold),
            clear=float(threshold) * keep,
            persistence=persistence,
        )
        value = learning.worth(learning.active(rule, levels), lenient=True)
        if value.false_per_month <= MOST_FALSE:
            found.append((value.caught_share, -value.false_per_month, rule))
    return max(found, key=lambda item: item[:2])[2]


def _judged(made: Product, rules: Sequence[AlarmRule], judging: Fleet, use_case: UseCase) -> Iterator[Row]:
    answers = graphs.Runner(made.onnx, use_case.outputs).run(judging.rows.features)
    active = np.zeros(len(judging.rows), bool)
    for rule in rules:
        active |= judging.active(rule, answers[:, use_case.outputs.index(rule.output)])
    value = judging.worth(active)
    machines = len(judging.rows.machines)
    who = f"motor-health on {machines} new machines"
    yield {
        "figure": f"{who}: lives that end healthy",
        "value": judging.healthy_share,
        "unit": "1",
        "bar": ">= 0.3",
    }
    yield {
        "figure": f"{who}: failures of {value.failures} caught with {LEAST_LEFT:.0%} of life left",
        "value": value.caught_share,
        "unit": "1",
        "bar": ">= 0.95",
    }
    yield {
        "figure": f"{who}: false alarms a machine-month, of {value.months:.0f}",
        "value": value.false_per_month,
        "unit": "1",
        "bar": f"<= {MOST_FALSE}",
    }
    yield from _by_fault(who, value)
    left = [catch.left for catch in value.catches]
    yield {"figure": f"{who}: life left at the alarm, median", "value": median(left or [0]), "unit": "1"}
    yield {
        "figure": f"{who}: right fault at the alarm, of {len(left)}",
        "value": _right_faults(value, answers, use_case),
        "unit": "1",
    }
    yield from _interval(who, made, judging.rows, answers, use_case)


def _by_fault(who: str, value: Worth) -> Iterator[Row]:
    faults = sorted({life.fault for life in value.missed} | {catch.life.fault for catch in value.catches})
    for fault in faults:
        caught = sum(catch.life.fault == fault for catch in value.catches)
        count = caught + sum(life.fault == fault for life in value.missed)
        yield {"figure": f"{who}: caught of {count} with {fault}", "value": caught / count, "unit": "1"}


def _right_faults(value: Worth, answers: Floats, use_case: UseCase) -> float:
    """Share of catches whose likeliest fault, as the alarm begins, is the one that wears out."""
    assert use_case.faults, "motor-health tells faults"
    places = [place for place, name in enumerate(use_case.outputs) if name.startswith(FAULT)]
    likeliest = answers[[catch.place for catch in value.catches]][:, places].argmax(axis=1)
    classes = use_case.faults.classes
    right = [
        classes[place] == catch.life.fault for place, catch in zip(likeliest, value.catches, strict=True)
    ]
    return float(np.mean(right)) if right else 0.0


def _interval(who: str, made: Product, rows: Examples, answers: Floats, use_case: UseCase) -> Iterator[Row]:
    assert made.interval is not None, "a product that foresees life has an interval"
    known = rows.failed
    predicted = answers[known, use_case.outputs.index(REMAINING_LIFE)]
    truth = np.minimum(rows.remaining[known], use_case.life.cap)
    low, high = interval.apply(made.interval, predicted)
    inside = (low <= truth) & (truth <= high)
    wanted = use_case.interval.coverage
    yield {
        "figure": f"{who}: truths inside the {wanted:.0%} interval",
        "value": float(inside.mean()),
        "unit": "1",
    }
    error = float(np.sqrt(np.mean((predicted - truth) ** 2)))
    yield {"figure": f"{who}: RMSE of remaining life, capped", "value": error, "unit": use_case.life.unit}


def _beside(loud: AlarmRule, judging: Fleet) -> Iterator[Row]:
    value = judging.worth(judging.active(loud, judging.loudness), lenient=True)
    rule = f"RMS above {loud.threshold:.2f} m/s2"
    yield {
        "figure": f"{rule}: failures missed (less: the simulator is too easy)",
        "value": 1 - value.caught_share,
        "unit": "1",
        "bar": ">= 0.2",
    }
    yield {"figure": f"{rule}: false alarms a machine-month", "value": value.false_per_month, "unit": "1"}
