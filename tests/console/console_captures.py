"""Captures in a seeded hub: of a pump whose outer race is struck, as its device would have sent them."""

import json
from datetime import datetime, timedelta

import numpy as np

from cloud_hub.hub import Hub
from simulators.motor_pump_life import Mode
from simulators.motor_pump_traits import RATED_SPEED, draw_traits
from simulators.motor_pump_vibration import AXES, RATE_HZ, Housing, Moment
from simulators.plant import BEARING

BEARING_FIELDS = {name: getattr(BEARING, name) for name in ("balls", "ball_mm", "pitch_mm", "contact_deg")}


def windows(damage: float, seed: int) -> np.ndarray:
    """[2, n] of a pump at rated speed, by how far its outer race is damaged."""
    moment = Moment(turn=1.0, demand=1.0, flow_share=0.95, cavitation=0.0, bearing=damage, worn=0.0)
    return Housing(draw_traits(5, "pump-1")).window(moment, Mode.OUTER_RACE, np.random.default_rng(seed))


def add_waveforms(hub: Hub, machine: str, *, bearing: bool = True) -> None:
    """Two axes of vibration, and a signal table that declares the bearing or does not."""
    with hub.database.transaction() as connection:
        for name in AXES:
            connection.execute(
                """INSERT INTO signal (machine, name, unit, kind, rate_hz)
                   SELECT id, %s, 'm/s2', 'waveform', %s FROM machine WHERE name = %s""",
                [name, RATE_HZ, machine],
            )
        told = {"name": machine, "machine_class": "motor-pump", "feature_set": "vibration-trend/1"}
        told |= {"bearing": BEARING_FIELDS} if bearing else {}
        connection.execute(
            """INSERT INTO signal_table (device, hash, body, machines, signals, seen)
               SELECT device, %s, %s, ARRAY[id], '{}', %s FROM machine WHERE name = %s""",
            [machine.encode(), json.dumps({"machines": [told], "signals": []}), hub.clock.now(), machine],
        )


def add_capture(
    hub: Hub, machine: str, time: datetime, values: np.ndarray, *, why: str = "routine", speed: bool = True
) -> None:
    """``values`` [2, n] from ``time`` on; with the machine's speed at that moment."""
    with hub.database.transaction() as connection:
        for name, window in zip(AXES, values, strict=True):
            connection.execute(
                """INSERT INTO capture (machine, signal, time, rate_hz, why, device, epoch, sequence, received,
                                        values)
                   SELECT machine.id, signal.id, %s, rate_hz, %s, device, 1, 1, %s, %s
                     FROM machine JOIN signal ON signal.machine = machine.id
                    WHERE machine.name = %s AND signal.name = %s""",
                [time, why, time + timedelta(seconds=3), window.astype("<f4").tobytes(), machine, name],
            )
        if speed:
            connection.execute(
                """INSERT INTO sample (time, signal, value)
                   SELECT %s, signal.id, %s FROM machine JOIN signal ON signal.machine = machine.id
                    WHERE machine.name = %s AND signal.name = 'speed'""",
                [time, RATED_SPEED, machine],
            )
