"""Releases on a recorder: predictions in their own names, alarms that open and close."""

from dataclasses import replace

from edge_models import BELOW_20, FixedReleases, release
from edge_recorders import NAMES, TREND, events, rows
from edge_world import START_US, trend_reading

from wire.batch import AlarmEvent, BatchClass, GapEvent


def test_predictions_carry_their_interval_and_their_release(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.use(FixedReleases(release(NAMES, 3, life=60.0)))
    recorder.take(trend_reading(2))
    recorder.flush()
    ((machine, source, _, values),) = rows(outbox, BatchClass.PREDICTION)
    assert (machine, source) == (0, "engine-life/3")
    assert values == (60.0, 40.0, 90.0, 0.25), "remaining life, lower, upper, anomaly"


def test_a_new_release_that_fails_is_told_and_the_old_one_answers_in_its_own_name(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    releases = FixedReleases(
        release(NAMES, 2, life=1.0, divide_by=0.0), old=release(NAMES, 1, alarms=(BELOW_20,), life=5.0)
    )
    recorder.use(releases)
    recorder.take(trend_reading(2))
    recorder.take(trend_reading(4))
    recorder.flush()
    assert {source for _, source, _, _ in rows(outbox, BatchClass.PREDICTION)} == {"engine-life/1"}
    assert all("expected finite outputs" in str(told["error"]) for told in releases.observed)
    assert len(releases.observed) == recorder.stored.counters.predictions_by_old == 2
    (alarm,) = events(outbox, AlarmEvent)
    assert (alarm.release, alarm.state, alarm.severity) == ("engine-life/1", "opened", 0.75)
    assert alarm.message == "remaining life 5 h: at or below 20 h, 2 times in a row"


def test_both_releases_answer_the_same_features_while_one_is_on_probation(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    releases = FixedReleases(release(NAMES, 2, life=50.0), old=release(NAMES, 1, life=40.0))
    recorder.use(releases)
    recorder.take(trend_reading(2))
    recorder.flush()
    (told,) = releases.observed
    assert (told["outputs"][0, 0], told["old"][0, 0], told["error"]) == (50.0, 40.0, None)
    assert {source for _, source, _, _ in rows(outbox, BatchClass.PREDICTION)} == {"engine-life/2"}


def test_a_release_for_other_features_predicts_nothing_and_says_why(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    releases = FixedReleases(release((*NAMES[:-1], "weight"), 2, life=50.0))
    recorder.use(releases)
    recorder.take(trend_reading(2))
    recorder.flush()
    assert rows(outbox, BatchClass.PREDICTION) == []
    assert recorder.last_error == "engine-life/2: expected feature 'weight', this machine gives 'age'"
    assert [gap.reason for gap in events(outbox, GapEvent)] == ["no-prediction"]


def test_alarms_open_and_close_with_the_same_opening_time(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.use(FixedReleases(release(NAMES, 1, alarms=(BELOW_20,), life=0.0, slope=1.0)))
    for position, life in zip(range(2, 20, 2), [50, 19, 18, 25, 31, 40, 40, 10, 10], strict=True):
        recorder.take(replace(trend_reading(position), values=(float(life), 0.0, 0.0)))
    recorder.flush()
    second = START_US // 1_000_000
    told = [
        (e.state, e.time_us // 1_000_000 - second, e.opened_us // 1_000_000 - second)
        for e in events(outbox, AlarmEvent)
    ]
    assert told == [("opened", 6, 6), ("closed", 12, 6), ("opened", 18, 18)]


def test_an_alarm_that_the_new_release_does_not_watch_is_closed(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.use(FixedReleases(release(NAMES, 1, alarms=(BELOW_20,), life=5.0)))
    recorder.take(trend_reading(2))
    recorder.take(trend_reading(4))
    recorder.use(FixedReleases(release(NAMES, 2, life=5.0)))
    recorder.take(trend_reading(6))
    recorder.flush()
    told = events(outbox, AlarmEvent)
    assert [(event.state, event.release) for event in told] == [
        ("opened", "engine-life/1"),
        ("closed", "engine-life/2"),
    ]
    assert told[0].opened_us == told[1].opened_us
