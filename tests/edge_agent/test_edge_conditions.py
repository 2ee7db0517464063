"""Releases that read the machine's memory through a table of operating conditions."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from edge_models import FixedReleases, release
from edge_recorders import events, rows
from edge_world import START_US, trend_table

from edge_agent.updates import DeviceFacts, Features, LoadedRelease
from edge_agent.updates.errors import UnfitError
from edge_agent.updates.golden import check_fit
from kernels import sets
from wire.batch import BatchClass, GapEvent
from wire.bundle import Bundle
from wire.directive import Directive
from wire.feed import Hello, Reading
from wire.manifest import ConditionTable, Input, Manifest
from wire.table import SignalTable

SLOW, FAST, NEW = 100.0, 200.0, 300.0
EXTRACTOR = sets.make("condition-trend/1", scalars=["s0", "s1", "s2"])


def table() -> SignalTable:
    plain = trend_table()
    return replace(
        plain, machines=tuple(replace(machine, feature_set="condition-trend/1") for machine in plain.machines)
    )


HELLO = Hello(table=table(), replayable=True)


def conditions(*speeds: float, mean: float = 0.0) -> ConditionTable:
    count = len(speeds)
    return ConditionTable(
        signals=("s0",),
        scale=(1.0,),
        centres=tuple((speed,) for speed in speeds),
        radius=(5.0,) * count,
        scalars=("s1", "s2"),
        mean=((mean, 0.0),) * count,
        spread=((1.0, 1.0),) * count,
    )


@dataclass
class Echo:
    """A network whose remaining life is its first input: mean5 of s1."""

    def run(self, features):
        return np.stack([features[:, 0], np.full(len(features), 0.25, np.float32)], axis=1)


def reading_through(version: int, known: ConditionTable) -> LoadedRelease:
    under = EXTRACTOR.under(known)
    made = release(under.names, version, life=0.0)
    inputs = tuple(Input(name=name, unit=unit) for name, unit in zip(under.names, under.units, strict=True))
    manifest = replace(made.manifest, feature_set="condition-trend/1", inputs=inputs, conditions=known)
    return replace(made, manifest=replace(manifest, interval=None), runner=Echo())


def feed(recorder, speeds, values) -> None:
    for position, (speed, value) in enumerate(zip(speeds, values, strict=True), start=1):
        recorder.take(
            Reading(
                position=2 * position,
                machine=0,
                time_us=START_US + position * 1_000_000,
                signals=(0, 1, 2),
                values=(speed, value, 0.0),
            )
        )
    recorder.flush()


def lives(outbox) -> list[tuple[str, float]]:
    return [(source, values[0]) for _, source, _, values in rows(outbox, BatchClass.PREDICTION)]


def test_the_hub_is_sent_readings_while_the_model_is_given_what_they_mean(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(HELLO)
    recorder.use(FixedReleases(reading_through(1, conditions(SLOW, FAST, mean=10.0))))
    feed(recorder, [SLOW, FAST], [12.0, 16.0])
    assert [values for *_, values in rows(outbox, BatchClass.FEATURE)] == [(100, 12, 0, 1), (200, 16, 0, 2)]
    assert lives(outbox) == [("engine-life/1", 2.0), ("engine-life/1", 4.0)]


def test_a_new_release_reads_the_same_memory_through_its_own_table_also_after_a_restart(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(HELLO)
    recorder.use(FixedReleases(reading_through(1, conditions(SLOW, mean=10.0))))
    feed(recorder, [SLOW] * 3, [12.0] * 3)
    recorder.stop()
    outbox.close()
    recorder, outbox = opened()
    recorder.use(FixedReleases(reading_through(2, conditions(SLOW, mean=11.0))))
    recorder.hello(HELLO)
    feed(recorder, [SLOW], [16.0])
    assert lives(outbox)[-1] == ("engine-life/2", 2.0), "the mean of 1, 1, 1 and 5"


def test_each_of_two_releases_is_asked_what_its_own_table_makes_of_the_machine(opened) -> None:
    recorder, _ = opened()
    recorder.hello(HELLO)
    releases = FixedReleases(
        reading_through(2, conditions(SLOW, mean=10.0)), old=reading_through(1, conditions(SLOW, mean=2.0))
    )
    recorder.use(releases)
    feed(recorder, [SLOW], [12.0])
    assert [(told["outputs"][0, 0], told["old"][0, 0]) for told in releases.observed] == [(2.0, 10.0)]


def test_a_machine_run_as_none_was_in_training_gets_no_prediction_and_a_gap_says_so(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(HELLO)
    releases = FixedReleases(reading_through(1, conditions(SLOW)))
    recorder.use(releases)
    feed(recorder, [SLOW, NEW, NEW, NEW], [1.0] * 4)
    assert [gap.reason for gap in events(outbox, GapEvent)] == ["unknown-condition"]
    assert len(lives(outbox)) == len(releases.observed) == 2, "one unknown reading of two still leaves half"
    assert recorder.stored.counters.predictions_failed == 0
    assert len(rows(outbox, BatchClass.FEATURE)) == 4, "the hub hears of the new condition all the same"


def test_a_new_release_that_knows_fewer_conditions_than_the_old_one_is_held_to_account(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(HELLO)
    releases = FixedReleases(
        reading_through(2, conditions(SLOW)), old=reading_through(1, conditions(SLOW, NEW))
    )
    recorder.use(releases)
    feed(recorder, [NEW], [1.0])
    assert lives(outbox) == [("engine-life/1", 1.0)]
    assert "run as none was in training" in str(releases.observed[0]["error"])


def test_a_table_of_other_machines_predicts_nothing_and_says_why(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(HELLO)
    strange = replace(conditions(SLOW), signals=("torque",))
    made = reading_through(1, conditions(SLOW))
    recorder.use(FixedReleases(replace(made, manifest=replace(made.manifest, conditions=strange))))
    feed(recorder, [SLOW], [1.0])
    assert lives(outbox) == []
    assert "got a table of torque" in recorder.last_error
    assert [gap.reason for gap in events(outbox, GapEvent)] == ["no-prediction"]


def offer(manifest: Manifest) -> tuple[Bundle, Directive]:
    nothing = np.empty((0, 0), np.float32)
    directive = Directive(
        device="edge-1",
        key_fingerprint="",
        use_case=manifest.use_case,
        release=manifest.release,
        bundle_path="",
        bundle_sha256="",
        sequence=1,
        issued_us=0,
        expires_us=1,
        rollout="r",
    )
    return Bundle(manifest=manifest, onnx=b"", golden_inputs=nothing, golden_outputs=nothing), directive


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"conditions": None}, "expected a table of operating conditions for condition-trend/1, got none"),
        ({"conditions": replace(conditions(SLOW), signals=("torque",))}, "got a table of torque"),
        ({"inputs": tuple(Input(name=name, unit="1") for name in EXTRACTOR.names)}, "takes 's0.last'"),
    ],
)
def test_a_bundle_fits_a_device_that_can_derive_its_inputs(changes: dict, text: str) -> None:
    made = Features(feature_set="condition-trend/1", names=EXTRACTOR.names, units=EXTRACTOR.units)
    device = DeviceFacts(target="any", features=lambda machine_class: made)
    offered = offer(replace(reading_through(1, conditions(SLOW)).manifest, **changes))
    if not text:
        check_fit(*offered, device)
        return
    with pytest.raises(UnfitError, match=text):
        check_fit(*offered, device)
