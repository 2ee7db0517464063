"""Whether recent rows come from another world than the dataset a release was learnt from.

Three things have to come together. The difference is large: PSI and KS, which do not shrink or
grow with the number of rows, on several features at once. It is larger than any between the
same number of machines drawn from the dataset and the rest of it, for machines differ, and than
all but a tenth between a moment of the dataset and the rest, for weeks have their ends: what
was so for a tenth of the dataset's time has been learnt. And it is between rows alike: under
one operating condition, at the same predicted health (see :mod:`cloud_hub.monitor.seen`).
Another mix of conditions is told and is no drift; a condition new to the dataset is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cloud_hub.monitor.alike import Counted, Distance, Floats, Numbers, distance
from cloud_hub.monitor.sketch import Coded, Sketch
from cloud_hub.monitor.stretches import Stretches
from models.declared.retraining import Drift

DRAWS, MOMENTS = 150, 50
USUAL = 0.9  # of the moments of a dataset
MARGIN = 1.2  # beyond the largest distance that was drawn
FEW = 1.0  # more of it the fewer machines there are: see ``_least``
LEAST_ALIKE = 0.5  # of the recent rows, to speak of the whole
FEATURES, HEALTH = "features", "predicted health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A variable that lies elsewhere now."""

    variable: str
    psi: float
    ks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Features, or predicted health, under one condition. Sizes are multiples of what is tolerated."""

    condition: int
    about: str  # FEATURES or HEALTH
    machines: int  # with enough recent rows
    dataset: int = 0  # machines with enough rows in the dataset
    why_not: str = ""  # it could not be judged
    size: float = 0.0  # as many variables as count have moved at least so far
    noise: float = 0.0  # the largest size between machines or moments of the dataset and the rest of it
    alike: float = 0.0  # share of recent rows that the dataset has the like of
    moved: tuple[Moved, ...] = ()  # furthest first

    @property
    def drifted(self) -> bool:
        return not self.why_not and self.size >= _least(self.noise, self.machines, self.dataset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """The figures of one look at drift."""

    comparisons: tuple[Comparison, ...]
    machines: int
    mix: tuple[float, ...]  # share of recent rows under each condition of the dataset ...
    mix_before: tuple[float, ...]  # ... and of the dataset's own
    unknown: float  # share of recent rows under none of them
    unknown_noise: float  # the largest such share among machines of the dataset

    def reasons(self, rule: Drift) -> tuple[str, ...]:
        """A sentence for everything that calls for another training."""
        found = [_sentence(each, len(self.mix)) for each in self.comparisons if each.drifted]
        if self.machines >= rule.machines and self.unknown >= max(rule.unknown, self.unknown_noise):
            found.append(f"drift: {self.unknown:.0%} of recent rows are under conditions new to the dataset")
        return tuple(found)


def compare(sketch: Sketch, recent: Coded, rule: Drift, rng: np.random.Generator) -> Drifted:
    """Hold recent rows against the dataset; ``rng`` draws what machines of one dataset differ by."""
    own, now = Stretches.of(sketch.rows), Stretches.of(recent)
    count = (DRAWS, MOMENTS) if len(own) and len(now) else (0, 0)
    draws = [own.draw(now, rng) for _ in range(count[0])]
    moments = [own.draw_moment(now, rng) for _ in range(count[1])]
    tried = [[own.number[drawn] for drawn in each] for each in (draws, moments)]
    known = sorted(sketch.cuts)
    return Drifted(
        comparisons=tuple(
            _compare(sketch, recent, rule, tried, of=(number, about))
            for number in known
            for about in (FEATURES, HEALTH)
        ),
        machines=len(now),
        mix=tuple(now.share(number) for number in known),
        mix_before=tuple(own.share(number) for number in known),
        unknown=now.share(-1),
        unknown_noise=max((own.share(-1, drawn) for drawn in (*draws, *moments)), default=0.0),
    )


def _least(noise: float, machines: int, dataset: int) -> float:
    """From what size on it is drift: beyond the noise by a margin, wider for few machines on either side.

    A fleet varies more than the machines of one dataset, and few say little about how much.
    """
    return max(1.0, (MARGIN + FEW * (1 / machines + 2 / dataset)) * noise)


def _compare(
    sketch: Sketch, recent: Coded, rule: Drift, tried: Sequence[Sequence[Numbers]], *, of: tuple[int, str]
) -> Comparison:
    condition, about = of
    banding = int(about == HEALTH)
    chosen = np.array([i for i in range(len(sketch.variables)) if (i in sketch.health) == bool(banding)])
    bands = 1 + max(int(rows.bands[:, banding].max(initial=0)) for rows in (sketch.rows, recent))
    own, now = (
        Counted.of(rows, condition=condition, banding=banding, variables=chosen, bands=bands)
        for rows in (sketch.rows, recent)
    )
    count = min(rule.features, len(chosen)) if about == FEATURES else 1
    total = own.total()
    found = distance(now.mean(now.stretches), total) if len(now.stretches) else None
    if why_not := _why_not(own, now, found, rule):
        return Comparison(condition=condition, about=about, machines=len(now.stretches), why_not=why_not)
    assert found is not None, "it was judged"
    each = own.by_machine()
    drawn, moments = (
        [_size(_drawn(own, numbers, total, each, len(now.stretches)), rule, count) for numbers in draws]
        for draws in tried
    )
    noise = max(*drawn, float(np.quantile(moments, USUAL)))
    size = _size(found, rule, count)
    names = [sketch.variables[index] for index in chosen]
    return Comparison(
        condition=condition,
        about=about,
        machines=len(now.stretches),
        dataset=len(own.machines),
        size=size,
        noise=noise,
        alike=found.alike,
        moved=_moved(names, found, rule, least=_least(noise, len(now.stretches), len(own.machines))),
    )


def _why_not(own: Counted, now: Counted, found: Distance | None, rule: Drift) -> str:
    if found is None or len(now.stretches) < rule.machines:
        return f"expected recent rows of at least {rule.machines} machines, got {len(now.stretches)}"
    if len(own.machines) < 2 * rule.machines:
        return f"expected a dataset of at least {2 * rule.machines} machines, got {len(own.machines)}"
    if found.alike < LEAST_ALIKE:
        return f"only {found.alike:.0%} of the recent rows are as worn or as old as any of the dataset"
    return ""


def _drawn(
    own: Counted, drawn: Numbers, total: Floats, each: Mapping[int, Floats], machines: int
) -> Distance:
    """The distance of stretches of the dataset from its other machines, as ``machines`` would lie from all.

    Fewer machines on either side differ more: a distance by the root of the sum of 1/machines of both
    (the variance of a difference of means), PSI by its square.
    """
    present = drawn[np.isin(drawn, own.stretch)]
    if not len(present):
        return Distance(psi=np.zeros(total.shape[1]), ks=np.zeros(total.shape[1]), alike=0.0)
    whose = np.unique(own.machine[np.searchsorted(own.stretch, present)])
    found = distance(own.mean(present), total - sum(each[int(number)] for number in whose))
    rest = len(each) - len(whose)
    fewer = (1 / machines + 1 / len(each)) / (1 / len(present) + 1 / rest)
    return Distance(psi=found.psi * fewer, ks=found.ks * fewer**0.5, alike=found.alike)


def _size(found: Distance, rule: Drift, count: int) -> float:
    """How far the ``count`` variables that moved most have moved at least, in multiples of the rule."""
    return float(np.sort(_ratios(found, rule))[-count])


def _ratios(found: Distance, rule: Drift) -> Floats:
    return np.minimum(found.psi / rule.psi, found.ks / rule.ks)


def _moved(names: Sequence[str], found: Distance, rule: Drift, *, least: float) -> tuple[Moved, ...]:
    ratios = _ratios(found, rule)
    return tuple(
        Moved(
            variable=names[index], psi=round(float(found.psi[index]), 3), ks=round(float(found.ks[index]), 3)
        )
        for index in np.argsort(-ratios)
        if ratios[index] >= least
    )


def _sentence(each: Comparison, conditions: int) -> str:
    furthest = ", ".join(
        f"{moved.variable} (PSI {moved.psi:.2f}, KS {moved.ks:.2f})" for moved in each.moved[:3]
    )
    more = f" and {len(each.moved) - 3} more" if len(each.moved) > 3 else ""
    where = f" under condition {each.condition}" if conditions > 1 else ""
    return f"drift of {each.about}{where}: {furthest}{more}"
