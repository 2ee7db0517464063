"""Machines drawn wider, lives that end sound, a changed duty; and that none of it is told to whoever learns."""

import io
import json
from dataclasses import fields
from functools import cache

import numpy as np
import pytest

from simulators.errors import SettingError
from simulators.motor_pump import MotorPump, State
from simulators.motor_pump_duty import PUSHED
from simulators.motor_pump_life import Life, Mode
from simulators.motor_pump_process import SCALARS
from simulators.motor_pump_traits import Traits, draw_traits
from simulators.motor_pump_variety import USUAL, Erosion, Shift, Variety
from simulators.motor_pump_vibration import AXES
from simulators.options import variety
from simulators.plant import Plant
from simulators.plant_truth import log_book, truth_lines
from simulators.recorder import record
from simulators.schedule import plan
from wire.clock import Clock
from wire.feed import Reading

BEGIN_US = 1_788_220_800_000_000
DAY_US = 86_400_000_000
COLUMN = {name: i for i, (name, _unit) in enumerate(SCALARS)}
NUMBERS = [field.name for field in fields(Traits) if field.type == "float" or field.type is float]


def pump(name: str = "pump-1", **asked: object) -> MotorPump:
    wanted = Variety(**asked)  # type: ignore[arg-type]  # names are checked by dataclasses
    return MotorPump(name, seed=11, begin_us=BEGIN_US, median_days=20, variety=wanted)


def plant(seed: int = 5, **asked: object) -> Plant:
    schedule = plan(Clock.real(), begin_us=BEGIN_US, interval_s=7200, window_s=7200)
    wanted = Variety(**asked)  # type: ignore[arg-type]  # names are checked by dataclasses
    return Plant(
        seed=seed,
        devices=("sim-1",),
        machines_per_device=4,
        life_days=5,
        schedule=schedule,
        variety=wanted,
    )


def states(machine: MotorPump, life: Life, shares: np.ndarray) -> list[State]:
    times = (life.start_us + shares * (life.end_us - life.start_us - 1)).astype(np.int64)
    return [state for state in machine.states(times, block=0) if state is not None]


@cache
def impeller(erosion: Erosion) -> tuple[MotorPump, Life]:
    for number in range(40):
        machine = pump(f"pump-{number}", erosion=erosion)
        for life in machine.lives_until(BEGIN_US + 60 * DAY_US)[1:]:
            if life.mode is Mode.IMPELLER and life.failed:
                return machine, life
    raise AssertionError("no impeller failed")


def test_machines_are_drawn_from_wider_ranges_around_the_same_middles() -> None:
    usual = [draw_traits(1, f"pump-{n}") for n in range(150)]
    wide = [draw_traits(1, f"pump-{n}", Variety(spread=1.5)) for n in range(150)]
    assert len(NUMBERS) > 9
    for name in NUMBERS:
        narrow, wider = ([getattr(traits, name) for traits in drawn] for drawn in (usual, wide))
        assert min(wider) > 0, name
        assert np.ptp(wider) == pytest.approx(1.5 * np.ptp(narrow)), name
        assert np.mean(wider) == pytest.approx(np.mean(narrow), rel=0.06), name


def test_lives_and_conditions_are_drawn_wider_too() -> None:
    def days(spread: float) -> list[float]:
        machines = [pump(f"pump-{n}", spread=spread) for n in range(25)]
        return [
            (life.end_us - life.start_us) / DAY_US
            for machine in machines
            for life in machine.lives_until(BEGIN_US + 80 * DAY_US)
        ]

    assert np.std(np.log(days(1.5))) > 1.25 * np.std(np.log(days(1.0)))
    usual, wide = (
        np.array([state.values for state in states(machine, machine.lives_until(BEGIN_US)[0], SHARES)])
        for machine in (pump(), pump(spread=1.5))
    )
    speed = COLUMN["speed"]
    assert np.std(wide[:, speed]) > 1.15 * np.std(usual[:, speed])


SHARES = np.linspace(0.5, 0.999, 300)


def test_a_share_of_the_lives_ends_by_plan_before_any_damage() -> None:
    machines = [pump(f"pump-{n}", healthy=0.4) for n in range(40)]
    lives = [(m, life) for m in machines for life in m.lives_until(BEGIN_US + 60 * DAY_US)]
    sound = [(m, life) for m, life in lives if life.sound]
    assert 0.3 < len(sound) / len(lives) < 0.5
    assert not any(life.failed or life.damaged_us is not None for _machine, life in sound)
    machine, life = sound[-1]
    assert max(state.process.damage[state.row] for state in states(machine, life, SHARES)) == 0
    assert all(life.damaged_us is not None for _machine, life in lives if life.failed)


def test_an_eroded_impeller_loses_head_at_equal_flow_and_speed() -> None:
    losses = {}
    for erosion in Erosion:
        machine, life = impeller(erosion)
        heads = {}
        for name, shares in (("new", np.linspace(0.0, 0.15, 100)), ("worn", np.linspace(0.97, 0.999, 100))):
            rows = states(machine, life, shares)
            speed, flow, pressure = (
                np.array([state.values[COLUMN[signal]] for state in rows])
                for signal in ("speed", "flow", "pressure")
            )
            share = flow / speed * 2965 / draw_traits(11, machine.name).rated_flow
            heads[name] = np.median(pressure / speed**2 / (1.22 - 0.22 * share**2))
        losses[erosion] = 1 - heads["worn"] / heads["new"]
    assert losses[Erosion.FAINT] < 0.08
    assert losses[Erosion.FELT] > 0.12


def test_a_worn_impeller_is_louder_where_erosion_is_felt() -> None:
    def loudness(erosion: Erosion) -> float:
        machine, life = impeller(erosion)
        new, worn = (
            np.mean([machine.window(state, n).std() for n, state in enumerate(states(machine, life, shares))])
            for shares in (np.linspace(0.0, 0.15, 20), np.linspace(0.9, 0.99, 20))
        )
        return float(worn / new)

    assert loudness(Erosion.FELT) > 1.3 * loudness(Erosion.FAINT)


SHIFTED_US = BEGIN_US + 3 * DAY_US


@cache
def side_by_side() -> list[tuple[int, State, State]]:
    """Moments of four machines as usual and under a shift."""
    times = BEGIN_US + np.arange(72, dtype=np.int64) * DAY_US // 12
    found = []
    for name in ("pump-1", "pump-2", "pump-3", "pump-4"):
        usual, shifted = pump(name), pump(name, shift=Shift(from_us=SHIFTED_US, demand=1.25))
        found += zip(times.tolist(), usual.states(times, 0), shifted.states(times, 0), strict=True)
    return [(time, one, other) for time, one, other in found if one and other]


def test_until_its_moment_a_shift_changes_nothing() -> None:
    before = [(one, other) for time, one, other in side_by_side() if time <= SHIFTED_US]
    assert len(before) > 100
    assert all(one.values == other.values for one, other in before)


def test_from_its_moment_a_shift_makes_machines_run_faster_up_to_what_they_can_give() -> None:
    after = [(one, other) for time, one, other in side_by_side() if time > SHIFTED_US + DAY_US // 24]
    asked, given = (
        np.array([pair[side].process.demand[pair[side].row] for pair in after]) for side in (0, 1)
    )
    assert given == pytest.approx(np.minimum(asked * 1.25, PUSHED), rel=1e-2)
    assert np.mean([o.values[COLUMN["speed"]] - u.values[COLUMN["speed"]] for u, o in after]) > 150


def test_lives_under_way_at_a_shift_and_those_after_it_wear_by_the_cube_of_the_demand() -> None:
    lasted: dict[bool, list[float]] = {True: [], False: []}
    for number in range(30):
        usual = pump(f"pump-{number}")
        shifted = pump(f"pump-{number}", shift=Shift(from_us=SHIFTED_US, demand=1.25))
        first, again = usual.lives_until(BEGIN_US)[0], shifted.lives_until(BEGIN_US)[0]
        assert again.start_us == first.start_us
        if first.end_us <= SHIFTED_US:
            assert again == first
        elif first.failed:
            left = (again.end_us - SHIFTED_US) / (first.end_us - SHIFTED_US)
            lasted[again.failed].append(left)
    assert len(lasted[True]) > 15
    assert 1 / 1.25**3 < np.mean(lasted[True]) < 0.75  # demand has a limit, so less than the cube
    assert not lasted[False]


def test_an_overhaul_is_planned_by_the_usual_wear_and_comes_too_late_where_wear_is_faster() -> None:
    planned = late = 0
    for number in range(120):
        usual = pump(f"pump-{number}").lives_until(BEGIN_US)[0]
        shifted = pump(f"pump-{number}", shift=Shift(from_us=BEGIN_US, demand=1.5)).lives_until(BEGIN_US)[0]
        if not usual.failed:
            planned, late = planned + 1, late + shifted.failed
            assert shifted.end_us < usual.end_us if shifted.failed else shifted.end_us == usual.end_us
    assert 0 < late < planned


def test_what_was_asked_for_is_kept_with_the_truth_and_what_was_not_leaves_no_trace() -> None:
    asked = plant(spread=1.5, healthy=0.3, erosion=Erosion.FELT, shift=Shift(from_us=BEGIN_US, demand=1.2))
    assert Plant.from_fields(json.loads(json.dumps(asked.to_fields()))) == asked
    assert "variety" not in plant().to_fields()
    assert Plant.from_fields(plant().to_fields()).variety == USUAL


def test_the_log_book_names_the_fault_of_a_teardown_and_says_where_nothing_was_found() -> None:
    lines = log_book(plant(healthy=0.5).sources(), BEGIN_US + 30 * DAY_US)
    failures = [line for line in lines if line["kind"] == "failure"]
    verdicts = [line for line in lines if line["kind"] == "verdict"]
    assert {line["fault"] for line in failures} <= set(Mode)
    assert {(line["verdict"], line["fault"]) for line in verdicts} == {("wrong", None)}
    assert all(line["since"] < line["until"] <= line["time"] for line in verdicts)
    usual = log_book(plant().sources(), BEGIN_US + 30 * DAY_US)
    assert {line["kind"] for line in usual} == {"failure", "maintenance"}


def test_nothing_but_signals_is_in_the_stream_that_agents_get() -> None:
    """Its table is that of any plant; readings carry measured values; no word of the truth is in its bytes."""
    made = plant(spread=1.5, healthy=0.3, erosion=Erosion.FELT)
    out = io.BytesIO()
    sources = made.sources()
    record(sources, out, until_us=BEGIN_US + 10 * DAY_US)
    table = sources["sim-1"].table
    assert table == plant(seed=77).sources()["sim-1"].table
    assert {signal.name for signal in table.signals} == {*(name for name, _unit in SCALARS), *AXES}
    assert {field.name for field in fields(Reading)} == {
        "position",
        "machine",
        "time_us",
        "signals",
        "values",
        "windows",
    }
    stream = out.getvalue()
    words = {str(value) for line in truth_lines(sources, BEGIN_US + 10 * DAY_US) for value in line.values()}
    secret = words - {"sim-1", *(machine.name for machine in table.machines)}
    assert not [word for word in secret if len(word) > 4 and word.encode() in stream]
    assert not [word for word in ("failure", "damage", "mode", "spread") if word.encode() in stream]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"spread": 3.0}, "--spread between"),
        ({"healthy": "200%"}, "a share from 0 to 100%"),
        ({"shift": "2026-01-01T00:00:00Z=9"}, "--shift by 1 to 1.5"),
        ({"shift": "soon=0.7"}, "expected a time like"),
        ({"shift": "2026-01-01T00:00:00Z=much"}, "expected --shift TIME=FACTOR"),
    ],
)
def test_a_variety_that_makes_no_sense_is_refused(asked: dict[str, object], sentence: str) -> None:
    usual = {"spread": 1.0, "healthy": "0", "erosion": Erosion.FAINT, "shift": ""}
    with pytest.raises(SettingError, match=sentence):
        variety(**(usual | asked))  # type: ignore[arg-type]  # the options of the command
