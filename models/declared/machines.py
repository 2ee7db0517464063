"""Which machines a use case is about: their signals, how their life is measured, what goes wrong."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.declared.part import Count, Part, Positive
from models.interface import FAULT, fault_output

SOUND = "sound"
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}  # of a UCUM unit of time


class Signal(Part):
    """One signal as every machine of the class has it; a machine with others is left out by name."""

    name: str
    unit: str  # UCUM
    kind: Literal["scalar", "waveform"] = "scalar"
    low: float | None = None  # what the sensor cannot show less than ...
    high: float | None = None  # ... and not more than; rows beyond are told of in a dataset's quality
    steady: bool = False  # may stand still for as long as it likes: a set point, a valve

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"expected low below high, got {self.low} and {self.high}")
        return self


class Life(Part):
    """How life is measured: in time, or in readings where each reading is one cycle of work."""

    measured_in: Literal["time", "readings"]
    unit: str  # UCUM, of remaining life
    cap: Positive  # more than this is "long": predictions and errors stop here
    least_failures: Count = 6  # lives that ended in one, before training makes sense

    @model_validator(mode="after")
    def _unit_is_a_time(self) -> Self:
        if self.measured_in == "time" and self.unit not in SECONDS:
            raise ValueError(f"expected a unit out of {', '.join(SECONDS)} for life measured in time")
        return self

    @property
    def us_per_unit(self) -> float:
        """Microseconds in one unit of life measured in time."""
        return SECONDS[self.unit] * 1e6


class Faults(Part):
    """What labels call a fault, and from when on a machine shows it."""

    classes: tuple[str, ...] = Field(min_length=1)
    window: Positive | None = (
        None  # units of life before the failure that show the fault; none: the whole life
    )
    least_lives: Count = 2  # of each class, before a class can be told apart

    @model_validator(mode="after")
    def _classes_can_be_told_by_name(self) -> Self:
        for name in self.classes:
            slug = fault_output(name).removeprefix(FAULT)
            if not slug:
                raise ValueError(
                    f"expected names with letters from a to z or digits, got {name!r}: outputs are named "
                    "after them, so write it in Latin letters, such as 'inner race'"
                )
            if slug == SOUND:
                raise ValueError(f"expected names of faults, got {name!r}: that is what no class leaves")
        return self

    @model_validator(mode="after")
    def _no_class_twice(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("expected each class once")
        return self


class Conditions(Part):
    """Operating conditions: the scalars that say how a machine is run, and how many ways of it there are."""

    signals: tuple[str, ...] = Field(min_length=1)
    count: Count = 1  # at most: those in which every scalar reads alike become one
