"""A use case: everything that makes one predictive-maintenance task differ from the next, in one TOML file.

A new use case of a known task needs no Python: the stages read what they need
from here. Unknown keys are refused by name, so a misspelt limit never means "no limit".
"""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import UseCaseError
from models.interface import AGE, MEAN

FOLDER = "use_cases"
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}  # of a UCUM unit of time

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Life(_Part):
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


class Network(_Part):
    hidden: tuple[Count, ...] = (128, 64)
    dropout: Share = 0.1
    clip: Positive = 4.0  # standard deviations beyond which a feature says no more
    include: tuple[str, ...] = ("*",)  # patterns of features it may use ...
    exclude: tuple[str, ...] = ()  # ... and of those that it must not use all the same


class Anomaly(_Part):
    """The distance from how these machines look early in life; 1 is the edge of healthy."""

    healthy_share: Share = 0.25  # of a life, from its start
    edge_share: Share = 0.99  # of healthy rows that lie below 1
    shrinkage: Share = 0.1
    exclude: tuple[str, ...] = ()  # patterns of features that change although nothing is wrong


class Budget(_Part):
    """What training may spend, and the seed that makes it repeatable."""

    members: Count = 5  # networks, each stopped early on machines that it has not seen
    epochs: Count = 40
    patience: Count = 8
    batch: Count = 512
    learning_rate: Positive = 2e-3
    weight_decay: float = Field(default=1e-2, ge=0)
    most_rows: Count = 40_000  # longer data sets are thinned evenly
    seed: int = 1
    threads: Count = 1


class Holdout(_Part):
    """Machines that training never sees: the gate's."""

    share: Share = 0.15
    least: Count = 2


class Coverage(_Part):
    """The interval around a prediction, wider or narrower by predicted life."""

    coverage: Share = 0.9
    edges: tuple[float, ...] = (0.0,)  # of predicted life, in its unit


class Gate(_Part):
    """What a candidate must show on the held-out machines."""

    must_beat: tuple[Literal["mean remaining life", "remaining life by age"], ...] = Field(
        default=(MEAN, AGE), min_length=1
    )
    baseline_ratio: Positive = 0.9  # its RMSE over that of the best guess it must beat
    champion_ratio: Positive = 1.0  # its RMSE over the champion's
    least_machines: Count = 2
    latency_ms: Positive = 5.0  # of one prediction, median
    bytes: Count = 16 << 20
    rtol: Positive = 1e-3
    atol: Positive = 1e-2  # golden outputs on other hardware may differ by so much


class Alarm(_Part):
    output: Literal["remaining_life", "anomaly"]
    direction: Literal["below", "above"]
    threshold: float
    clear: float
    persistence: Count = 1


class Costs(_Part):
    """What happens cost, to choose alarms and count savings by."""

    currency: str
    failure: float = Field(ge=0)
    planned: float = Field(ge=0)
    false_alarm: float = Field(ge=0)


class UseCase(_Part):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str
    machine_class: str
    feature_set: str
    task: Literal["remaining-life"]
    life: Life
    network: Network = Network()
    anomaly: Anomaly = Anomaly()
    budget: Budget = Budget()
    holdout: Holdout = Holdout()
    interval: Coverage = Coverage()
    gate: Gate = Gate()
    alarms: tuple[Alarm, ...] = ()
    costs: Costs

    @classmethod
    def parse(cls, text: str, *, name: str) -> Self:
        try:
            return cls.model_validate(tomllib.loads(text) | {"name": name})
        except tomllib.TOMLDecodeError as error:
            raise UseCaseError(f"use case {name}: not TOML: {error}") from error
        except ValidationError as error:
            raise UseCaseError(f"use case {name}: {_explain(error)}") from error


def names() -> tuple[str, ...]:
    """Every use case that comes with this installation."""
    folder = resources.files("models") / FOLDER
    return tuple(sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".toml")))


def find(name: str) -> UseCase:
    """The use case called ``name``; UseCaseError names those there are."""
    if name not in names():
        raise UseCaseError(f"expected a use case out of {', '.join(names())}, got {name!r}")
    return UseCase.parse((resources.files("models") / FOLDER / f"{name}.toml").read_text(), name=name)


def find_all() -> tuple[UseCase, ...]:
    return tuple(find(name) for name in names())


def _explain(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        place = ".".join(map(str, problem["loc"])) or "the file"
        if problem["type"] == "extra_forbidden":
            problems.append(f"unknown setting {place}")
        elif problem["type"] == "missing":
            problems.append(f"missing setting {place}")
        else:
            problems.append(f"{place}: {problem['msg']}, got {problem.get('input')!r}")
    return "; ".join(problems)
