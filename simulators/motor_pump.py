"""A simulated motor-pump set: any moment of it, in any order, from (seed, name, begin, median life).

Lives are found one after the other and kept; what sensors see within a life is
a function of time alone, and sensor noise is keyed by tick. So a reading costs
the same whether the one before it was ever asked for or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from simulators.motor_pump_life import Life, LifeTable, live
from simulators.motor_pump_process import Process, process_at, sense
from simulators.motor_pump_traits import Stream, draw_traits, stream
from simulators.motor_pump_variety import USUAL, Variety
from simulators.motor_pump_vibration import Housing, Moment, Signal
from wire.clock import MICROSECONDS

TABLES_KEPT = 3  # of lives whose tables stay in memory; the others are drawn again when asked for


@dataclass(frozen=True, slots=True)
class State:
    """One machine at one tick: what its slow sensors say, and what is true behind them."""

    values: tuple[float, ...]  # in the order of motor_pump_process.SCALARS
    life: Life
    process: Process
    row: int  # of ``process``


class MotorPump:
    """One machine. Safe to share between threads."""

    def __init__(
        self, name: str, *, seed: int, begin_us: int, median_days: float, variety: Variety = USUAL
    ) -> None:
        self.name = name
        self._seed = seed
        self._begin_us = begin_us
        self._median_days = median_days
        self._variety = variety
        self._traits = draw_traits(seed, name, variety)
        self._housing = Housing(self._traits, variety.erosion)
        self._lock = Lock()
        self._lives: list[Life] = []
        self._tables: dict[int, LifeTable] = {}

    def lives_until(self, time_us: int) -> Sequence[Life]:
        """Every life that began at or before ``time_us``, first to last; the last may end later."""
        with self._lock:
            while not self._lives or self._lives[-1].restart_us <= time_us:
                self._lives.append(self._table(len(self._lives) + 1).life)
            return [life for life in self._lives if life.start_us <= time_us]

    def states(self, times_us: NDArray[np.int64], block: int) -> list[State | None]:
        """The machine at each of ``times_us`` (rising); None where it stands still.

        ``block`` numbers this stretch of ticks: it keys the noise of the sensors.
        """
        noise = stream(self._seed, self.name, Stream.SENSORS, block)
        found: list[State | None] = [None] * len(times_us)
        for life in self.lives_until(int(times_us[-1])):
            first, last = np.searchsorted(times_us, [life.start_us, life.end_us])
            if first < last:
                seconds = times_us[first:last] / MICROSECONDS
                process = process_at(self._traits, self._table_of(life.number), seconds, self._variety)
                rows = sense(noise, process.scalars, self._variety.spread).tolist()
                found[first:last] = [State(tuple(row), life, process, i) for i, row in enumerate(rows)]
        return found

    def window(self, state: State, tick: int) -> Signal:
        """The vibration (2, 4096) in m/s2 that goes with ``state`` of ``tick``."""
        rng = stream(self._seed, self.name, Stream.WINDOW, tick)
        return self._housing.window(Moment.of(state.process, state.row), state.life.mode, rng)

    def _table_of(self, number: int) -> LifeTable:
        with self._lock:
            return self._table(number)

    def _table(self, number: int) -> LifeTable:
        if number not in self._tables:
            begin_us = self._lives[number - 2].restart_us if number > 1 else self._begin_us
            while len(self._tables) >= TABLES_KEPT:
                del self._tables[next(iter(self._tables))]
            self._tables[number] = live(
                self._traits,
                seed=self._seed,
                machine=self.name,
                number=number,
                begin_s=begin_us / MICROSECONDS,
                median_days=self._median_days,
                variety=self._variety,
            )
        return self._tables[number]
