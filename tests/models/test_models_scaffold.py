"""A new use case begins as text that can be read as it stands."""

import pytest

from models.declared.machines import Signal
from models.errors import UseCaseError
from models.scaffold import scaffold
from models.use_case import UseCase

SIGNALS = (Signal(name='flow "in"', unit="L/min"), Signal(name="vibration", unit="m/s2", kind="waveform"))


@pytest.mark.parametrize(
    ("task", "faults", "outputs"),
    [
        ("remaining-life", (), ("remaining_life", "anomaly")),
        ("remaining-life", ("Outer race",), ("remaining_life", "anomaly", "fault_outer_race")),
        ("anomaly", (), ("anomaly",)),
        ("fault-class", ("ball", "outer race"), ("fault_ball", "fault_outer_race", "anomaly")),
    ],
)
def test_what_was_asked_is_in_the_text(task: str, faults: tuple[str, ...], outputs: tuple[str, ...]) -> None:
    text = scaffold(
        "new-one", task=task, machine_class="press", feature_set="trend/1", signals=SIGNALS, faults=faults
    )
    found = UseCase.parse(text, name="new-one")
    assert (found.task, found.signals, found.outputs) == (task, SIGNALS, outputs)
    assert found.alarms


def test_a_task_without_what_it_needs_is_refused() -> None:
    with pytest.raises(UseCaseError, match=r"expected \[faults\] for the task fault-class"):
        scaffold("x", task="fault-class", machine_class="press", feature_set="trend/1", signals=SIGNALS)
    with pytest.raises(UseCaseError, match="signals"):
        scaffold("x", task="anomaly", machine_class="press", feature_set="trend/1", signals=())
