"""What the bench of drift takes for known on a day."""

from datetime import timedelta

import numpy as np

from cloud_hub.monitor.bench import BEGIN, Recording
from cloud_hub.store.labels import NewLabel
from cloud_hub.training.recording import MachineRows
from models.use_case import find
from wire.clock import to_us


def recording() -> Recording:
    """A machine read twice a day for ten days, that fails on the fourth and on the eighth."""
    times = np.array([to_us(BEGIN + timedelta(hours=12 * number)) for number in range(1, 21)])
    rows = MachineRows(
        machine="pump-1",
        feature_set="trend/1",
        names=("speed.last",),
        units=("1/min",),
        times=times,
        features=np.ones((20, 1), np.float32),
    )
    failures = [
        NewLabel(machine="pump-1", time=BEGIN + timedelta(days=day), kind="failure", detail={})
        for day in (4, 8)
    ]
    return Recording(rows=[rows], labels=failures, use_case=find("motor-health"))


def test_at_the_end_of_a_day_no_later_row_and_no_later_failure_is_known() -> None:
    known = recording().until(7)
    assert len(known) == 14
    assert known.times.max() == to_us(BEGIN + timedelta(days=7))
    assert set(known.life[known.failed].tolist()) == {1}
    assert known.failed.sum() == 8  # of the second life nobody knows yet that it will fail
    assert recording().until(10).failed.sum() == 16


def test_without_the_rows_before_a_day_those_after_it_keep_their_lives() -> None:
    late = recording().until(10, since=BEGIN + timedelta(days=6))
    assert (len(late), late.times.min()) == (9, to_us(BEGIN + timedelta(days=6)))
    assert late.age[0] == 36.0  # h, since the failure of the fourth day
    assert set(late.life[late.failed].tolist()) == {2}
