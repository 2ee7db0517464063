"""A use case: everything that makes one predictive-maintenance task differ from the next, in one TOML file.

A new use case of a known task needs no Python: the stages read what they need
from here. Unknown keys are refused by name, so a misspelt limit never means "no limit".
"""

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from models.declared.compiling import Compile
from models.declared.judging import Alarm, Approval, Costs, Coverage, Gate
from models.declared.learning import Anomaly, Budget, Holdout, Network
from models.declared.machines import Conditions, Faults, Life, Signal
from models.declared.part import Part
from models.declared.retraining import Retrain
from models.declared.workable import problems
from models.errors import UseCaseError
from models.interface import ANOMALY, REMAINING_LIFE, fault_output

FOLDER = "use_cases"
Task = Literal["remaining-life", "anomaly", "fault-class"]


class UseCase(Part):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str
    machine_class: str
    feature_set: str
    task: Task
    signals: tuple[Signal, ...] = Field(min_length=1)
    life: Life = Life(measured_in="time", unit="h", cap=1000.0)
    faults: Faults | None = None
    conditions: Conditions | None = None
    network: Network = Network()
    anomaly: Anomaly = Anomaly()
    budget: Budget = Budget()
    holdout: Holdout = Holdout()
    interval: Coverage = Coverage()
    gate: Gate = Gate()
    compile: Compile = Compile()
    alarms: tuple[Alarm, ...] = ()
    costs: Costs
    approval: Approval = Approval()
    retrain: Retrain = Retrain()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of its networks, in order; each is float32 [n, 1]."""
        faults = tuple(map(fault_output, self.faults.classes)) if self.faults else ()
        return {
            "remaining-life": (REMAINING_LIFE, ANOMALY, *faults),
            "anomaly": (ANOMALY,),
            "fault-class": (*faults, ANOMALY),
        }[self.task]

    @model_validator(mode="after")
    def _task_has_its_parts(self) -> Self:
        if self.task == "remaining-life" and "life" not in self.model_fields_set:
            raise ValueError("expected [life] for the task remaining-life")
        if self.task == "fault-class" and self.faults is None:
            raise ValueError("expected [faults] for the task fault-class")
        if self.task == "anomaly" and self.faults is not None:
            raise ValueError(
                "expected no [faults] for the task anomaly: what it tells is only that something is wrong"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_there_twice(self) -> Self:
        named = {
            "signals": [signal.name for signal in self.signals],
            "faults.classes": [*map(fault_output, self.faults.classes)] if self.faults else [],
            "alarms": [f"{alarm.output} {alarm.direction}" for alarm in self.alarms],
        }
        for part, names in named.items():
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{part}: expected each once, got {', '.join(twice)} more than once")
        return self

    @model_validator(mode="after")
    def _parts_name_what_there_is(self) -> Self:
        scalars = {signal.name for signal in self.signals if signal.kind == "scalar"}
        if self.conditions and (unknown := set(self.conditions.signals) - scalars):
            raise ValueError(
                f"conditions: expected scalars of this use case, got {', '.join(sorted(unknown))}"
            )
        if unknown := {alarm.output for alarm in self.alarms} - set(self.outputs):
            raise ValueError(
                f"alarms: expected outputs out of {', '.join(self.outputs)}, got {', '.join(sorted(unknown))}"
            )
        return self

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if found := [*problems(self)]:
            raise ValueError("; ".join(found))
        return self

    @classmethod
    def parse(cls, text: str, *, name: str) -> Self:
        try:
            return cls.model_validate(tomllib.loads(text) | {"name": name})
        except tomllib.TOMLDecodeError as error:
            raise UseCaseError(f"use case {name}: not TOML: {error}") from error
        except ValidationError as error:
            raise UseCaseError(f"use case {name}: {_explain(error)}") from error


def names(own: Path | None = None) -> tuple[str, ...]:
    """Every use case that comes with this installation, and those in the folder ``own``."""
    return tuple(sorted(_files(own)))


def find(name: str, own: Path | None = None) -> UseCase:
    """The use case called ``name``, from ``own`` before any other; UseCaseError names those there are."""
    files = _files(own)
    if name not in files:
        raise UseCaseError(f"expected a use case out of {', '.join(sorted(files))}, got {name!r}")
    try:
        text = files[name].read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UseCaseError(f"use case {name}: {files[name]} cannot be read: {error}") from error
    return UseCase.parse(text, name=name)


def find_all(own: Path | None = None) -> tuple[UseCase, ...]:
    return tuple(find(name, own) for name in names(own))


def _files(own: Path | None) -> dict[str, Traversable]:
    folders = [resources.files("models") / FOLDER, *([own] if own and own.is_dir() else [])]
    return {
        file.name.removesuffix(".toml"): file
        for folder in folders
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }


def _explain(error: ValidationError) -> str:
    told = []
    for problem in error.errors():
        place = ".".join(map(str, problem["loc"])) or "the file"
        if problem["type"] == "extra_forbidden":
            told.append(f"unknown setting {place}")
        elif problem["type"] == "missing":
            told.append(f"missing setting {place}")
        elif problem["type"] == "value_error":  # a sentence of ours, which says what it found
            told.append(f"{place}: {problem['ctx']['error']}")
        else:
            told.append(f"{place}: {problem['msg']}, got {problem.get('input')!r}")
    return "; ".join(told)
