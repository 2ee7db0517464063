"""What the alarms of a candidate did on held-out machines, beside doing without them; their limits. Pure."""

from dataclasses import dataclass
from typing import Any

from scipy.special import gammaincinv

from cloud_hub.registry.wording import figure
from cloud_hub.training.alarm_policy import QUANTILES, AlarmFigures
from models.declared.judging import Alarm

LUCK = 0.05  # chance with which a rate that keeps its limit is held to exceed it
GROSS = 2.0  # times the limit, above which a rate is refused without proof: few months prove little


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    name: str
    held: bool
    found: str
    bar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTrial:
    """Costs are per machine-month in service, in ``currency``.

    ``crossed`` is to be seen beside, as more machines tell more. Nothing is refused for it, since one member
    alone alarms more often than the ensemble that ships.
    """

    figures: AlarmFigures
    crossed: AlarmFigures  # on the machines learnt from, each by members that were only stopped by it
    never_alarming: float
    renewing_by_age: float | None  # None: on the machines learnt from, that never paid
    renewal_age: float | None  # in ``unit`` of life
    unit: str
    currency: str
    declared: tuple[Alarm, ...]

    def limits(self) -> tuple[Limit, ...]:
        """What the use case asks of its alarms: false ones within their limit, and cheaper than none."""
        asked = [alarm.most_false_alarms for alarm in self.declared if alarm.most_false_alarms is not None]
        chosen = any(alarm.policy == "cost" for alarm in self.declared)
        return (
            *([self._false_alarms(max(asked))] if asked else []),
            *([self._cost()] if chosen and self.figures.failures else []),
        )

    def to_fields(self) -> dict[str, Any]:
        return {
            **self.figures.to_fields(),
            "crossed": self.crossed.to_fields(),
            "quantiles": list(QUANTILES),
            "unit": self.unit,
            "currency": self.currency,
            "never_alarming": self.never_alarming,
            "renewing_by_age": self.renewing_by_age,
            "renewal_age": self.renewal_age,
        }

    def _false_alarms(self, limit: float) -> Limit:
        found = self.figures
        least = least_rate(found.false_alarms, found.months)
        return Limit(
            name="false alarms",
            held=least <= limit and found.false_per_month <= GROSS * limit,
            found=f"{found.false_per_month:.3g} per machine-month, {least:.3g} of it certain",
            bar=f"<= {limit:g} per machine-month, as far as {found.false_alarms} alarms can tell, and "
            f"<= {GROSS * limit:g} in any case",
        )

    def _cost(self) -> Limit:
        found, never = self.figures.cost_per_month, self.never_alarming
        return Limit(
            name="cost of alarms",
            held=found <= never,
            found=f"{figure(found)} {self.currency} per machine-month",
            bar=f"<= {figure(never)} {self.currency} (never alarming)",
        )


def least_rate(events: int, months: float) -> float:
    """The rate that ``events`` prove: the exact lower Poisson bound (Garwood 1936), 0 of none."""
    return float(gammaincinv(events, LUCK) / months) if events and months > 0 else 0.0
