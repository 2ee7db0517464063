"""Whether a judgement is one: on machines that a network has not learnt from, on rows that it answers. Pure.

Answers about machines that taught a network flatter it, and rows that it is silent on flatter
it too where they are left out: a machine about to fail is where an answer is hardest.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloud_hub.training.gate import Check
from models.declared.judging import Gate
from models.examples import Examples, Floats, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is known of a network that was made elsewhere."""

    learnt_from: frozenset[str] | None  # machines; None: nobody has said
    fresh: frozenset[str]  # machines that judge and that it has not learnt from
    held_out: frozenset[str]  # all that judge
    calibrated_fresh: bool  # were interval and alarms chosen on machines that it has not learnt from?

    def to_fields(self) -> dict[str, Any]:
        """What a run keeps of it."""
        named = None if self.learnt_from is None else sorted(self.learnt_from)
        return {"made_elsewhere": True, "learnt_from": named}

    def checks(self, rule: Gate) -> tuple[Check, ...]:
        return self._judges(rule), self._calibration()

    def _judges(self, rule: Gate) -> Check:
        if self.learnt_from is None:
            found = "none known, it may have learnt from every one"
        else:
            found = f"{len(self.fresh)} of {len(self.held_out)} that judge, by its list of "
            found += f"{len(self.learnt_from)}"
        return Check(
            name="machines it has not learnt from",
            passed=self.learnt_from is not None and len(self.fresh) >= rule.least_machines,
            found=found,
            bar=f">= {rule.least_machines}: name those it has learnt from (--learnt-from)",
        )

    def _calibration(self) -> Check:
        """Said, not refused for: the interval is held to what it covers all the same."""
        others = "machines it has not learnt from"
        return Check(
            name="interval and alarms",
            passed=True,
            found=f"chosen on {others if self.calibrated_fresh else 'machines it may have learnt from'}",
            bar=f"on {others}, where there are any left",
        )


def compared(champion: str, fair: AbstractSet[str], judging: AbstractSet[str], rule: Gate) -> Check:
    """A comparison that cannot be made is no comparison that was passed."""
    return Check(
        name=f"machines that {champion} has not learnt from",
        passed=len(fair) >= rule.least_machines,
        found=f"{len(fair)} of {len(judging)} that judge",
        bar=f">= {rule.least_machines}: wait for labels of more machines that are held out",
    )


def silence(silent: float, rule: Gate) -> Check:
    return Check(
        name="rows without an answer",
        passed=silent <= rule.most_silent,
        found=f"{silent:.1%}",
        bar=f"<= {rule.most_silent:.1%} of those that can tell",
    )


def answered(stored: Examples, rows: Examples) -> Mask:
    """[n] the rows of ``stored`` that are among ``rows``, by machine and moment; both in their order."""
    if len(stored) == len(rows):
        return np.ones(len(stored), bool)
    wanted = {*_moments(rows)}
    return np.array([moment in wanted for moment in _moments(stored)], bool)


def spread(stored: Examples, rows: Examples, answers: Floats) -> Floats:
    """``answers`` [m, outputs] about ``rows`` as answers [n, outputs] about ``stored``; NaN on other rows."""
    whole = np.full((len(stored), answers.shape[1]), np.nan, np.float32)
    whole[answered(stored, rows)] = answers
    return whole


def heard(answers: Floats) -> Mask:
    """[n] the rows that anything is said of; all of them where nothing is said of any."""
    told = ~np.isnan(answers).all(axis=1)
    return np.asarray(told | ~told.any())


def _moments(rows: Examples) -> list[tuple[int, int]]:
    return list(zip(rows.machine.tolist(), rows.times.tolist(), strict=True))
