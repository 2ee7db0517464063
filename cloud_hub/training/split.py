"""Who is learnt from, who stops the learning, and who judges: always whole machines.

Held-out machines are the first by a hash of their names, whether they have failed yet
or run: so they stay held out from one training to the next, while the fleet grows and
its machines fail, and a champion has learnt from few of those that its challenger is
measured on. Those that run on judge too, by the false alarms on them.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cloud_hub.errors import DatasetError
from models.examples import FAULTY, SOUND, Examples
from models.use_case import UseCase

LEAST_LEARNING = 2  # machines that must be left to learn from and to stop on
SOUND_ONES = "sound"  # machines of which labels know nothing but that
_WANTED = {"failed": "machines that failed", SOUND_ONES: "machines with rows known to be sound"}
ALWAYS = -1  # the fold of machines that teach every member


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a machine can show: its ``group`` is dealt evenly; ``judges``: it can tell right from wrong."""

    group: str
    judges: bool
    fault: int = -1  # what was wrong with it, if that is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    held_out: frozenset[str]
    learning: frozenset[str]

    def __post_init__(self) -> None:
        if both := sorted(self.held_out & self.learning):
            raise DatasetError(
                f"expected every machine on one side, {', '.join(both)} would learn and judge: name them once"
            )


def kinds_of(examples: Examples, use_case: UseCase) -> dict[str, Kind]:
    """What each machine with rows can show, by name."""
    found = {}
    for number in np.unique(examples.machine).tolist():
        own = examples.where(examples.machine == number)
        shown = own.fault[(own.health == FAULTY) & (own.fault >= 0)]
        fault = int(np.bincount(shown).argmax()) if len(shown) else -1
        found[examples.machines[number]] = _kind(own, fault, use_case)
    return found


def _kind(own: Examples, fault: int, use_case: UseCase) -> Kind:
    sound, faulty = bool((own.health == SOUND).any()), bool((own.health == FAULTY).any())
    if use_case.task == "fault-class":
        names = (*own.faults, "sound") if sound else (*own.faults, "unlabelled")
        return Kind(group=names[fault], judges=fault >= 0 or sound, fault=fault)
    if use_case.task == "anomaly":
        return Kind(group="faulty" if faulty else SOUND_ONES if sound else "unlabelled", judges=faulty)
    failed = bool(own.failed.any())
    return Kind(group="failed" if failed else "running", judges=failed, fault=fault)


def split(kinds: Mapping[str, Kind], use_case: UseCase) -> Split:
    """Hold out the machines that judge; DatasetError where too few would be left to learn from."""
    ranked = _ranked(kinds, use_case)
    if use_case.task == "remaining-life":
        held_out = frozenset(ranked[: _first(ranked, kinds, use_case)])
    else:
        held_out = _of_each_group(ranked, kinds, use_case)
    return Split(held_out=held_out, learning=frozenset(kinds) - held_out)


def deal(kinds: Mapping[str, Kind], use_case: UseCase) -> dict[str, int]:
    """The fold of each machine that learns, kinds and faults spread evenly.

    A machine that is the only one of its class teaches every member (fold ``ALWAYS``).
    """
    ranked = _ranked(kinds, use_case)
    groups = [kind.group for kind in kinds.values()]
    alone = {
        name for name in ranked if use_case.task == "fault-class" and groups.count(kinds[name].group) == 1
    }
    able = [name for name in ranked if name not in alone]
    # Every fold needs a machine that can tell; anomaly is learnt from what any machine did while sound.
    telling = [name for name in able if kinds[name].judges or use_case.task == "anomaly"]
    count = min(use_case.budget.folds or use_case.budget.members, len(telling))
    if count < LEAST_LEARNING:
        raise DatasetError(
            f"expected at least {LEAST_LEARNING} machines to learn from and to stop on, got {count}: "
            "wait for labels of more machines"
        )
    ordered = sorted(able, key=lambda name: (not kinds[name].judges, kinds[name].group, kinds[name].fault))
    return {name: number % count for number, name in enumerate(ordered)} | dict.fromkeys(
        sorted(alone), ALWAYS
    )


def _first(ranked: Sequence[str], kinds: Mapping[str, Kind], use_case: UseCase) -> int:
    """How many of the first are held out: their share of all, with enough that failed on either side."""
    judges = [place for place, name in enumerate(ranked) if kinds[name].judges]
    least = use_case.holdout.least
    if len(judges) < least + LEAST_LEARNING:
        raise _too_few("failed", least, len(judges))
    return min(max(_asked(len(ranked), use_case), judges[least - 1] + 1), judges[-LEAST_LEARNING])


def _of_each_group(ranked: Sequence[str], kinds: Mapping[str, Kind], use_case: UseCase) -> frozenset[str]:
    """The first of each group; those that no label says anything of yet with the others, for one day it will.

    An anomaly that nobody has labelled a fault for yet is judged by its false alarms, on sound machines.
    """
    groups: dict[str, list[str]] = {}
    for name in ranked:
        groups.setdefault(kinds[name].group, []).append(name)
    judging = {kinds[name].group for name in ranked if kinds[name].judges}
    if use_case.task == "anomaly":
        judging = judging or {SOUND_ONES}
    counts = {
        group: _count(group, len(names), use_case)
        if group in judging
        else min(_asked(len(names), use_case), max(0, len(names) - LEAST_LEARNING))
        for group, names in groups.items()
    }
    return frozenset(name for group, names in groups.items() for name in names[: counts[group]])


def _count(group: str, machines: int, use_case: UseCase) -> int:
    """How many of the ``machines`` of a group that judges are held out."""
    asked = _asked(machines, use_case)
    if use_case.task == "fault-class":
        return min(max(1, asked), machines - 1)
    count = max(use_case.holdout.least, asked)
    if group == SOUND_ONES and machines - count < LEAST_LEARNING:
        raise _too_few(group, count, machines)
    return min(count, machines)


def _asked(machines: int, use_case: UseCase) -> int:
    return math.floor(use_case.holdout.share * machines + 0.5)


def _too_few(group: str, judging: int, machines: int) -> DatasetError:
    return DatasetError(
        f"expected at least {judging + LEAST_LEARNING} {_WANTED[group]} ({judging} to judge on), "
        f"got {machines}: wait for {'labels' if group == SOUND_ONES else 'failures'} of more machines"
    )


def _ranked(names: Iterable[str], use_case: UseCase) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(f"{use_case.name}/{name}".encode()).digest())
