"""What a simulated machine suffers from is written in the captures that its device takes by itself."""

from cloud_hub.console.machines import spectra
from edge_agent.captures import Captures
from edge_agent.machine_line import MachineLine
from kernels.bearing import as_declared
from simulators.motor_pump_life import Life, Mode
from simulators.plant import Plant, PumpSource
from simulators.schedule import plan
from wire.batch import Capture
from wire.clock import Clock
from wire.feed import Reading

BEGIN_US = 1_788_220_800_000_000
DAY_US = 86_400_000_000


def plant() -> Plant:
    schedule = plan(Clock.real(), begin_us=BEGIN_US, interval_s=7200, window_s=7200)
    return Plant(seed=5, devices=("sim-1",), machines_per_device=4, life_days=5, schedule=schedule)


def struck(source: PumpSource) -> tuple[int, Life]:
    """A machine whose outer race fails, and that life."""
    for index, machine in enumerate(source.machines):
        for life in machine.lives_until(BEGIN_US + 20 * DAY_US):
            if life.mode is Mode.OUTER_RACE and life.start_us >= BEGIN_US:
                return index, life
    raise AssertionError("no outer race failed in 20 days of four machines: choose another seed")


def taken(source: PumpSource, index: int, life: Life) -> tuple[list[Capture], Reading]:
    """The routine of its last day, and the reading it was taken from."""
    line = MachineLine(source.table, index, {}, ())
    captures = Captures(24.0, {}, monotonic=lambda: 0.0)
    first = (life.end_us - DAY_US // 2 - BEGIN_US) // 7_200_000_000 * len(source.machines)
    for reading in source.readings(first):
        assert reading.time_us < life.end_us, "its last half day has no window"
        if reading.machine == index and (found := captures.take(line, reading, alarmed=False)):
            return found, reading
    raise AssertionError("a source has no end")


def test_an_outer_race_that_fails_is_the_highest_line_of_its_captures() -> None:
    source = plant().sources()["sim-1"]
    index, life = struck(source)
    found, reading = taken(source, index, life)
    assert [source.table.signals[each.signal].name for each in found] == ["vibration_x", "vibration_y"]
    names = [source.table.signals[signal].name for signal in reading.signals]
    speed_hz = reading.values[names.index("speed")] / 60
    named = spectra.lines(speed_hz, as_declared(source.table.machines[index].bearing))
    for capture in found:
        envelope = spectra.of(capture.values, capture.rate_hz, spectra.ENVELOPE)
        top = spectra.peaks(envelope, named)[0]
        assert top.line is not None
        assert top.line.short == "BPFO"
