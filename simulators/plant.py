"""A simulated plant: devices with motor-pump sets, as sources of readings and as truth.

All of it follows from the few settings of :class:`Plant`, which is what the truth
directory keeps; so a later process can ask what happened without a log of it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from simulators.errors import SettingError, TruthError
from simulators.motor_pump import MotorPump, State
from simulators.motor_pump_life import Life
from simulators.motor_pump_process import SCALARS
from simulators.motor_pump_traits import BALL_MM, BALLS, PITCH_MM
from simulators.motor_pump_variety import USUAL, Erosion, Shift, Variety
from simulators.motor_pump_vibration import AXES, RATE_HZ, UNIT
from simulators.schedule import Schedule
from wire.errors import defect
from wire.feed import Reading, Window
from wire.table import Bearing, Machine, Signal, SignalKind, SignalTable
from wire.topics import NAME

MACHINE_CLASS = "motor-pump"
KIND = "simulated machines"
FEATURE_SET = "vibration-trend/2"
BEARING = Bearing(balls=BALLS, ball_mm=BALL_MM, pitch_mm=PITCH_MM)  # what load makes of it, nobody tells
BLOCK_TICKS = 256  # readings are made in stretches of so many ticks
SIGNALS_EACH = len(SCALARS) + len(AXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    seed: int
    devices: tuple[str, ...]
    machines_per_device: int
    life_days: float  # median
    schedule: Schedule
    variety: Variety = USUAL

    def __post_init__(self) -> None:
        check_devices(self.devices)
        if not 1 <= self.machines_per_device <= 1000:
            raise SettingError(f"expected 1 to 1000 machines a device, got {self.machines_per_device}")
        if not 1 <= self.life_days <= 10_000:
            raise SettingError(f"expected a median life of 1 to 10,000 days, got {self.life_days:g}")
        if self.seed < 0:
            raise SettingError(f"expected a seed of 0 or more, got {self.seed}")

    def to_fields(self) -> dict[str, Any]:
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        del own["schedule"], own["variety"]
        timing = {field.name: getattr(self.schedule, field.name) for field in fields(self.schedule)}
        asked = {"variety": asdict(self.variety)} if self.variety != USUAL else {}
        return own | {"kind": KIND, "devices": list(self.devices)} | timing | asked

    @classmethod
    def from_fields(cls, stored: dict[str, Any]) -> Self:
        if stored.get("kind") != KIND:
            raise TruthError(f"expected the truth of {KIND}, got that of {stored.get('kind')}")
        try:
            return cls(
                seed=int(stored["seed"]),
                devices=tuple(stored["devices"]),
                machines_per_device=int(stored["machines_per_device"]),
                life_days=float(stored["life_days"]),
                schedule=Schedule(**{field.name: int(stored[field.name]) for field in fields(Schedule)}),
                variety=_variety(stored.get("variety", {})),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TruthError(f"expected the settings of simulated machines: {defect(error)}") from error

    def sources(self) -> dict[str, "PumpSource"]:
        return {device: PumpSource(self, device) for device in self.devices}


class PumpSource:
    """The readings of one device: position = tick * machines + machine + 1.

    Positions of a machine that stands still are left out, never reused.
    """

    replayable = True

    def __init__(self, plant: Plant, device: str) -> None:
        self._schedule = plant.schedule
        names = [f"{device}-pump-{n}" for n in range(1, plant.machines_per_device + 1)]
        self.machines = [
            MotorPump(
                name,
                seed=plant.seed,
                begin_us=plant.schedule.begin_us,
                median_days=plant.life_days,
                variety=plant.variety,
            )
            for name in names
        ]
        self.table = _signal_table(names)
        self.last_position: int | None = None  # a machine never runs out of readings

    def readings(self, after: int) -> Iterator[Reading]:
        """Every reading with a position above ``after``, for ever."""
        machines = len(self.machines)
        block = after // machines // BLOCK_TICKS
        while True:
            for reading in self._block(block):
                if reading.position > after:
                    yield reading
            block += 1

    def samples_until(self, position: int) -> int:
        """How many samples the readings up to and including ``position`` hold."""
        return self.readings_until(position) * len(SCALARS)

    def readings_until(self, position: int) -> int:
        return sum(self._ran(machine, position) for machine in range(len(self.machines)))

    def lives_until(self, time_us: int) -> Iterator[tuple[str, Life]]:
        """(machine, life) of every life begun by ``time_us``."""
        for pump in self.machines:
            for life in pump.lives_until(time_us):
                yield pump.name, life

    def _ran(self, machine: int, position: int) -> int:
        """Ticks at which ``machine`` was running, of those up to ``position``."""
        ticks = max(0, (position - machine - 1) // len(self.machines) + 1)
        if ticks == 0:
            return 0
        until_us = int(self._schedule.times_us(ticks - 1, 1)[0])
        stood = 0
        for life in self.machines[machine].lives_until(until_us):
            stop, restart = map(self._schedule.ticks_before, (life.end_us, life.restart_us))
            stood += min(restart, ticks) - min(stop, ticks)
        return ticks - stood

    def _block(self, block: int) -> Iterator[Reading]:
        first = block * BLOCK_TICKS
        times = self._schedule.times_us(first, BLOCK_TICKS)
        states = [pump.states(times, block) for pump in self.machines]
        for offset, time_us in enumerate(times.tolist()):
            for machine, of_machine in enumerate(states):
                state = of_machine[offset]
                if state is not None:
                    yield self._reading(machine, first + offset, time_us, state)

    def _reading(self, machine: int, tick: int, time_us: int, state: State) -> Reading:
        base = machine * SIGNALS_EACH
        windows: tuple[Window, ...] = ()
        if self._schedule.has_window(tick, machine):
            axes = self.machines[machine].window(state, tick)
            windows = tuple(
                Window(signal=base + len(SCALARS) + axis, rate_hz=RATE_HZ, values=values)
                for axis, values in enumerate(axes)
            )
        return Reading(
            position=tick * len(self.machines) + machine + 1,
            machine=machine,
            time_us=time_us,
            signals=tuple(range(base, base + len(SCALARS))),
            values=state.values,
            windows=windows,
        )


def _variety(stored: dict[str, Any]) -> Variety:
    """What was asked for, out of the truth directory."""
    shift = stored.get("shift")
    return Variety(
        **stored
        | {
            "shift": Shift(**shift) if shift else None,
            "erosion": Erosion(stored.get("erosion", USUAL.erosion)),
        }
    )


def check_devices(devices: tuple[str, ...]) -> None:
    """Refuse names that are doubled, or that no topic could carry."""
    if not devices or len(set(devices)) != len(devices):
        raise SettingError(f"expected different device names, got {', '.join(devices) or 'none'}")
    for device in devices:
        if not NAME.fullmatch(device):
            raise SettingError(f"expected a device name like press-04, got {device!r}")


def _signal_table(names: list[str]) -> SignalTable:
    signals: list[Signal] = []
    for machine in range(len(names)):
        for name, unit in SCALARS:
            signals.append(Signal(id=len(signals), machine=machine, name=name, unit=unit))
        for name in AXES:
            signals.append(
                Signal(
                    id=len(signals),
                    machine=machine,
                    name=name,
                    unit=UNIT,
                    kind=SignalKind.WAVEFORM,
                    rate_hz=RATE_HZ,
                )
            )
    return SignalTable(
        machines=tuple(
            Machine(name=name, machine_class=MACHINE_CLASS, feature_set=FEATURE_SET, bearing=BEARING)
            for name in names
        ),
        signals=tuple(signals),
    )
