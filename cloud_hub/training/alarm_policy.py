"""Alarms judged by what they cost, and chosen so that it is little: the rules that device and gate run alike.

What counts, row by row as a device would see them (``kernels.alarm``):

- An *alarm* begins where a rule opens and ends where none is open any more: people go to a machine once.
- A *failure* is a life that ended in one, or in other lives a stretch of rows that labels call faulty.
- An alarm is *right* if it opened in that life and is still open as the life fails, or if it opened within
  such a stretch. One that closed before the failure was taken back: it is *false*, as is every other alarm,
  also one that is open on a machine that merely goes on running, and one that opened while its machine was
  sound, by a label or because its life was young (``heads.sound_rows``), though a failure came in the end:
  whoever always alarms foresees nothing.
- A failure is *caught* by a right alarm with at least ``least_lead`` of the life left, and more than
  nothing. *Lead* is what was left when it opened. A right alarm that comes later is neither false nor of
  use: the failure is missed.

Cost is counted per month in service, and a machine renewed early has served less: so early alarms are dear
without a price of their own (renewal reward; Barlow & Proschan, "Mathematical Theory of Reliability", 1965).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_hub.training.service import LEAST, MONTH_US, Lives, lives_of
from kernels.alarm import AlarmPolicy, Direction, run
from models.declared.judging import Alarm, Costs
from models.examples import FAULTY, Examples, Floats, Mask
from models.heads import sound_rows
from models.use_case import UseCase
from wire.manifest import AlarmRule

QUANTILES = (0.1, 0.5, 0.9)  # of lead


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFigures:
    """What a set of rules does on some machines. Leads are in the use case's unit of life."""

    machines: int
    months: float  # machine-months watched
    failures: int
    caught: int
    late: int  # of the missed ones, those with a right alarm that came too late
    false_alarms: int
    false_per_month: float  # per machine-month
    lead: tuple[float, ...]  # at QUANTILES, of the caught ones that ended a life; empty where none did
    lead_share: tuple[float, ...]  # the same, as shares of the life
    cost_per_month: float  # per machine-month in service

    def to_fields(self) -> dict[str, Any]:
        return asdict(self) | {"lead": list(self.lead), "lead_share": list(self.lead_share)}


def choose(examples: Examples, answers: Floats, use_case: UseCase) -> tuple[AlarmRule, ...]:
    """The rules of ``use_case``, those of the policy "cost" chosen on ``examples``.

    ``answers`` [n, outputs]: of networks that had not learnt from the rows of a row's machine, in the order
    of ``use_case.outputs``. They are single members that were stopped by that machine, and the ensemble of
    all ships: what the rules are worth there is told by the held-out machines.
    Of the rules whose false alarms keep within their limit the cheapest is taken;
    where none does, the one with the fewest. Several are chosen in turn, each beside those before.
    """
    watched = _Watched(examples, answers, use_case, lives_of(examples))
    rules = [_fixed(alarm) for alarm in use_case.alarms if alarm.policy == "fixed"]
    for alarm in use_case.alarms:
        if alarm.policy == "cost":
            rules.append(_cheapest(alarm, watched, watched.active(rules)))
    order: list[tuple[str, str]] = [(alarm.output, alarm.direction) for alarm in use_case.alarms]
    return tuple(sorted(rules, key=lambda rule: order.index((rule.output, rule.direction))))


def judge(examples: Examples, answers: Floats, rules: Sequence[AlarmRule], use_case: UseCase) -> AlarmFigures:
    """What ``rules`` would have done; ``answers`` [n, outputs] in the order of ``use_case.outputs``."""
    least_lead = max((alarm.least_lead for alarm in use_case.alarms), default=0.0)
    watched = _Watched(examples, answers, use_case, lives_of(examples))
    return watched.figures(watched.active(rules), least_lead)


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    """Machines and what was answered about them."""

    examples: Examples
    answers: Floats
    use_case: UseCase
    lives: Lives

    def active(self, rules: Sequence[AlarmRule]) -> Mask:
        """[n] is any rule open after this row? A machine's rows in one go, as its device sees them."""
        active = np.zeros(len(self.examples), bool)
        edges = np.flatnonzero(np.diff(self.examples.machine, prepend=-1, append=-1))
        for rule in rules:
            values = self.answers[:, self.use_case.outputs.index(rule.output)]
            policy = _policy(rule)
            for first, end in pairwise(edges):
                active[first:end] |= run(policy, values[first:end]).active
        return active

    def figures(self, active: Mask, least_lead: float) -> AlarmFigures:
        examples, lives = self.examples, self.lives
        opened = _opened(examples, active)
        life = lives.of_row[opened]
        fails = lives.failed[life]
        stretch = _faulty_stretches(examples, lives)
        stays = (_next_closed(active)[opened] > lives.last[life]) & ~sound_rows(examples, self.use_case)[
            opened
        ]
        right = np.where(fails, stays, stretch[opened] >= 0)
        known = opened[right & fails]
        lead = examples.remaining[known].astype(np.float64)
        share = lead / np.maximum(lives.length[lives.of_row[known]], LEAST)
        timely = (share >= least_lead) & (lead > 0)
        unused = examples.times[lives.last[lives.of_row[known]]] - examples.times[known]
        counted = _Counted(
            failures=int(lives.failed.sum()) + int(stretch.max(initial=-1)) + 1,
            caught=int(timely.sum()) + len(np.unique(stretch[opened[right & ~fails]])),
            false_alarms=int((~right).sum()),
        )
        months = float(lives.months.sum())
        return AlarmFigures(
            machines=len(np.unique(examples.machine)),
            months=months,
            **asdict(counted),
            late=int((~timely).sum()),
            false_per_month=counted.false_alarms / max(months, LEAST),
            lead=_quantiles(lead[timely]),
            lead_share=_quantiles(share[timely]),
            cost_per_month=counted.cost(self.use_case.costs)
            / max(months - float(unused[timely].sum()) / MONTH_US, LEAST),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    failures: int
    caught: int
    false_alarms: int

    def cost(self, costs: Costs) -> float:
        missed = self.failures - self.caught
        return self.false_alarms * costs.false_alarm + self.caught * costs.planned + missed * costs.failure


def _cheapest(alarm: Alarm, watched: _Watched, already: Mask) -> AlarmRule:
    """The best of the grid of ``alarm`` beside what is open ``already``; the first of equals."""
    limit = np.inf if alarm.most_false_alarms is None else alarm.most_false_alarms
    sign = 1 if alarm.direction == "below" else -1
    ranked: list[tuple[tuple[float, float, int], AlarmRule]] = []
    for threshold, margin, persistence in product(alarm.thresholds, alarm.margins, alarm.persistences):
        rule = AlarmRule(
            output=alarm.output,
            direction=alarm.direction,
            threshold=threshold,
            clear=threshold + sign * margin,
            persistence=persistence,
        )
        found = watched.figures(already | watched.active([rule]), alarm.least_lead)
        rank = (max(0.0, found.false_per_month - limit), found.cost_per_month, len(ranked))
        ranked.append((rank, rule))
    return min(ranked, key=itemgetter(0))[1]


def _fixed(alarm: Alarm) -> AlarmRule:
    assert alarm.threshold is not None  # its declaration says so
    assert alarm.clear is not None
    return AlarmRule(
        output=alarm.output,
        direction=alarm.direction,
        threshold=alarm.threshold,
        clear=alarm.clear,
        persistence=alarm.persistence,
    )


def _policy(rule: AlarmRule) -> AlarmPolicy:
    return AlarmPolicy(
        output=rule.output,
        threshold=rule.threshold,
        clear=rule.clear,
        persistence=rule.persistence,
        direction=Direction(rule.direction),
    )


def _opened(examples: Examples, active: Mask) -> NDArray[np.intp]:
    """Rows at which an alarm begins; nothing is open before a machine's first row."""
    before = np.concatenate([[False], active[:-1]]) & (np.diff(examples.machine, prepend=-1) == 0)
    return np.flatnonzero(active & ~before)


def _next_closed(active: Mask) -> NDArray[np.intp]:
    """[n] the first row, from each on, after which no alarm is open; n where there is none."""
    rows = np.where(active, len(active), np.arange(len(active)))
    return np.minimum.accumulate(rows[::-1])[::-1]


def _faulty_stretches(examples: Examples, lives: Lives) -> NDArray[np.int64]:
    """[n] the number of the faulty stretch that a row of a life without a failure lies in, else -1."""
    faulty = (examples.health == FAULTY) & ~lives.failed[lives.of_row]
    begins = faulty & ~(np.concatenate([[False], faulty[:-1]]) & (np.diff(lives.of_row, prepend=-1) == 0))
    return np.where(faulty, np.cumsum(begins) - 1, -1)


def _quantiles(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.quantile(values, QUANTILES).tolist()) if len(values) else ()
