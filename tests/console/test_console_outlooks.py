"""What the console calls a machine, from its newest prediction and whether anybody still watches it."""

from datetime import UTC, datetime

import pytest

from cloud_hub.console.plant.outlooks import Meaning, state
from cloud_hub.store.fleet import Machine, Outlook

MEANING = Meaning(unit="h", threshold=24.0)


def machine(*, lower: float | None, online: bool, alarms: int = 0, told: bool = True) -> Machine:
    outlook = Outlook(
        use_case="u",
        release="u/1",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        remaining_life=100.0,
        lower=lower,
        upper=150.0,
        anomaly=0.5,
        faults={},
    )
    return Machine(
        name="pump-1",
        device="cell-1",
        site="lyon",
        machine_class="pump",
        feature_set="trend/1",
        online=online,
        last_batch=None,
        outlook=outlook if told else None,
        open_alarms=alarms,
    )


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ({"lower": 50.0, "online": True}, "healthy"),
        ({"lower": 50.0, "online": False}, "silent"),  # a good word of last month is no good word
        ({"lower": 10.0, "online": False}, "watch"),
        ({"lower": 10.0, "online": True}, "watch"),
        ({"lower": 50.0, "online": False, "alarms": 1}, "alarm"),
        ({"lower": 50.0, "online": False, "told": False}, "no prediction"),
    ],
)
def test_a_machine_is_called_healthy_only_while_somebody_watches_it(
    given: dict[str, object], called: str
) -> None:
    assert state(machine(**given), MEANING) == called
