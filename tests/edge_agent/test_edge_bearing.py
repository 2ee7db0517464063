"""Two machines on one device: each has its own bearing and its own rate, and what is wrong with one costs it alone."""

from dataclasses import replace

import numpy as np
import pytest
from edge_models import FixedReleases, release
from edge_recorders import events, rows
from edge_world import START_US
from structlog.testing import capture_logs

from kernels import sets
from kernels.bearing import Bearing
from wire.batch import BatchClass, GapEvent
from wire.feed import Hello, Reading, Window
from wire.manifest import Waveform
from wire.table import Bearing as Declared
from wire.table import Machine, Signal, SignalKind, SignalTable

RATE_HZ, LENGTH, SHAFT_HZ = 12_800.0, 8192, 49.0
SMALL = Declared(balls=8, ball_mm=6.75, pitch_mm=28.5)
OUTER_RACE = Bearing(balls=8, ball_mm=6.75, pitch_mm=28.5).outer_race
SIGNALS = (
    Signal(id=0, machine=0, name="speed", unit="1/min"),
    Signal(id=1, machine=0, name="vibration", unit="m/s2", kind=SignalKind.WAVEFORM, rate_hz=RATE_HZ),
)
PLAIN = sets.of_signals("vibration/1", SIGNALS[:1], SIGNALS[1:])
BPFO, BPFI = (PLAIN.names.index(f"vibration.env_{line}") for line in ("bpfo", "bpfi"))


def hello(*bearings: Declared | None) -> Hello:
    machines = tuple(
        Machine(name=f"pump-{place}", machine_class="pump", feature_set="vibration/1", bearing=bearing)
        for place, bearing in enumerate(bearings)
    )
    signals = tuple(
        replace(signal, id=2 * place + signal.id, machine=place)
        for place in range(len(bearings))
        for signal in SIGNALS
    )
    return Hello(table=SignalTable(machines=machines, signals=signals), replayable=True)


def feed(recorder, machines: int) -> None:
    """One reading of each machine: its outer race is struck as often as one of a ``SMALL`` bearing is."""
    since = np.mod(np.arange(LENGTH) / RATE_HZ, 1 / (OUTER_RACE * SHAFT_HZ))
    ringing = 4 * np.exp(-since * 900) * np.sin(2 * np.pi * 3100 * since)
    wave = (ringing + np.random.default_rng(5).normal(0, 0.3, LENGTH)).astype(np.float32)
    for place in range(machines):
        windows = (Window(signal=2 * place + 1, rate_hz=RATE_HZ, values=wave),)
        recorder.take(
            Reading(
                position=place + 1,
                machine=place,
                time_us=START_US + place,
                signals=(2 * place,),
                values=(SHAFT_HZ * 60,),
                windows=windows,
            )
        )
    recorder.flush()


def test_a_defect_shows_in_the_lines_of_the_machine_that_declares_its_bearing(opened) -> None:
    recorder, outbox = opened()
    with capture_logs() as told:
        recorder.hello(hello(SMALL, None))
    feed(recorder, 2)
    (_, _, _, own), (_, _, _, assumed) = rows(outbox, BatchClass.FEATURE)
    assert own[BPFO] > 4 * own[BPFI]
    assert own[BPFO] > 4 * assumed[BPFO]
    (line,) = [entry for entry in told if entry["event"] == "no bearing declared"]
    assert (line["machines"], line["first"]) == (1, "pump-1")


def test_who_declares_its_bearing_hears_nothing_of_it(opened) -> None:
    recorder, _ = opened()
    with capture_logs() as told:
        recorder.hello(hello(SMALL, SMALL))
    assert told == []


@pytest.mark.parametrize("wrong", [replace(SMALL, ball_mm=30.0), replace(SMALL, balls=float("nan"))])
def test_a_bearing_that_cannot_be_costs_its_machine_the_features_and_its_neighbour_nothing(
    opened, wrong: Declared
) -> None:
    recorder, outbox = opened()
    recorder.hello(hello(wrong, SMALL))
    assert recorder.last_error.startswith("machine pump-0: bal")
    feed(recorder, 2)
    assert [machine for machine, *_ in rows(outbox, BatchClass.FEATURE)] == [1]
    assert recorder.stored.counters.samples == 2, "what was measured is kept of both"
    table = recorder.tables.current
    recorder.hello(hello(wrong, SMALL))
    assert recorder.tables.current.hash == table.hash


@pytest.mark.parametrize(("taught", "answers"), [((), 1), (RATE_HZ, 1), (12_000.0, 0), (25_600.0, 0)])
def test_a_release_that_learnt_at_another_rate_is_not_asked(opened, taught, answers: int) -> None:
    recorder, outbox = opened()
    recorder.hello(hello(SMALL))
    made = release(PLAIN.names, 1, life=50.0)
    waveforms = (Waveform(name="vibration", rate_hz=taught),) if taught else ()
    manifest = replace(made.manifest, machine_class="pump", feature_set="vibration/1", waveforms=waveforms)
    recorder.use(FixedReleases(now=replace(made, manifest=manifest)))
    feed(recorder, 1)
    assert len(rows(outbox, BatchClass.PREDICTION)) == answers
    assert [gap.reason for gap in events(outbox, GapEvent)] == ["no-prediction"] * (1 - answers)
    if not answers:
        expected = f"learnt at another rate: vibration: expected windows at {taught:g} Hz, got 12800 Hz"
        assert expected in recorder.last_error
