"""The whole loop at a hub: an unshifted month starts nothing; a shift is noticed, learnt and rolled out by itself.

Rows are those of the kernels, made of drawn readings; training, gate, signing and rollout are the
hub's own. Devices are played by the test: they install what they are told.
"""

from datetime import datetime, timedelta

import numpy as np
import pytest
from rollout_world import USE_CASE, World
from stored_machines import Stored

from cloud_hub.dataset.snapshot import find
from cloud_hub.flows import candidate, publish, triggers
from cloud_hub.flows.admission import Admission
from cloud_hub.flows.champion import set_champion
from cloud_hub.flows.retrain import request
from cloud_hub.hub import assemble
from cloud_hub.registry.models import Registry
from cloud_hub.signing import keys
from kernels import sets
from models import graphs
from wire.clock import to_datetime

SCALARS = (("hall", "Cel"), ("temperature", "Cel"), ("vibration", "m/s2"), ("pressure", "bar"))
MACHINES, DAYS, EVERY_H, LIFE_H, CAP = 16, 84, 4, 240, 150.0
SHIFT_DAY = 60
HOUR_US = 3_600_000_000
TOML = """
title = "Presses"
machine_class = "press"
feature_set = "trend/1"
task = "remaining-life"
signals = [{signals}]
[life]
measured_in = "time"
unit = "h"
cap = {cap}
[network]
hidden = [32]
exclude = ["age", "*.mean_life", "*.from_start"]
[budget]
members = 2
epochs = 40
batch = 128
learning_rate = 5e-3
[holdout]
least = 4
share = 0.25
[interval]
coverage = 0.8
[gate]
must_beat = ["mean remaining life"]
[costs]
currency = "EUR"
failure = 1
planned = 1
false_alarm = 1
[retrain]
cooldown_days = 3
admitted = "canary"
canary = {{ waves = ["1", "100%"], soak_hours = 0 }}
[retrain.drift]
days = 2.0
lasting_days = 15.0
"""


def machine(rng, hours, shift_h):
    """Readings [n, signals] of a machine that fails and is repaired again and again; and when it failed."""
    values, ends, at = [], [], -rng.uniform(0, LIFE_H)
    while at < hours[-1]:
        life = LIFE_H * np.exp(rng.normal(0, 0.2))
        own = hours[(hours > at) & (hours <= at + life)]
        wear = ((own - at) / life) ** 2
        differs = rng.normal(0, 0.3, 3)
        values.append(
            np.column_stack(
                [np.full(len(own), 20.0), differs[0] + 4 * wear, differs[1] + 3 * wear, differs[2] - 3 * wear]
            )
        )
        at += life
        ends.append(at)
    readings = np.concatenate(values) + rng.normal(0, 0.4, (len(hours), 4))
    readings[hours > shift_h] += [10.0, 2.5, 2.0, -1.5]  # a hot hall: all run as if worn
    return readings, [end for end in ends if 0 < end <= hours[-1]]


def features_of(hours, readings):
    extractor = sets.make("trend/1", scalars=[name for name, _ in SCALARS], units=dict(SCALARS))
    return extractor.batch((hours * HOUR_US).astype(np.int64), readings)


class Plant:
    """A hub with presses, whose days pass one after another."""

    def __init__(self, hub, world, offline):
        self.world, self.hub = world, assemble(hub.config, hub.database, world.clock)
        self.stored = Stored(hub.database, machine_class="press", scalars=SCALARS, feature_set="trend/1")
        self.admission = Admission(self.hub)
        hub.config.use_cases.mkdir()
        signals = ", ".join(f'{{ name = "{name}", unit = "{unit}" }}' for name, unit in SCALARS)
        (hub.config.use_cases / f"{USE_CASE}.toml").write_text(TOML.format(signals=signals, cap=CAP))
        keys.init(hub.config.state_dir, offline)
        world.add_devices("edge-1", "edge-2", machine_class="press")
        rng, start = np.random.default_rng(5), world.clock.now_us()
        for number in range(MACHINES):
            hours = np.arange(0, DAYS * 24, EVERY_H) + number / MACHINES
            readings, ends = machine(rng, hours, SHIFT_DAY * 24)
            name = f"press-{number:02}"
            self.stored.add(name)
            self.stored.rows(name, start + (hours * HOUR_US).astype(np.int64), features_of(hours, readings))
            for end in ends:
                self.stored.label(name, start + int(end * HOUR_US))

    @property
    def champion(self):
        registry = Registry(self.hub.database, self.hub.artifacts, self.hub.clock)
        return registry.aliased(USE_CASE, "champion")

    def error(self, release):
        """RMSE in hours on presses under the shift that nobody has learnt from."""
        registry = Registry(self.hub.database, self.hub.artifacts, self.hub.clock)
        runner = graphs.Runner(registry.onnx(registry.get(release)))
        rng, hours, squares = np.random.default_rng(77), np.arange(0, 40 * 24, EVERY_H, dtype=float), []
        for _ in range(8):
            readings, ends = machine(rng, hours, -1.0)
            known = hours <= ends[-1]
            left = np.array([min(end - hour for end in ends if end >= hour) for hour in hours[known]])
            answers = runner.run(features_of(hours, readings)[known])[:, 0]
            squares.append((answers - np.minimum(left, CAP)) ** 2)
        return float(np.sqrt(np.concatenate(squares).mean()))

    def train(self):
        candidate.execute(self.hub, request(self.hub, USE_CASE, actor="ada"))
        with self.hub.database.transaction() as connection:
            set_champion(connection, USE_CASE, f"{USE_CASE}/1")

    def trainings(self):
        """Those that nobody asked for."""
        return self.hub.database.rows("SELECT * FROM run WHERE settings ? 'why' ORDER BY created")

    def pass_days(self, days):
        """What workers and devices do meanwhile."""
        self.world.clock.pass_hours(24 * days)
        triggers.execute(self.hub, USE_CASE)
        for row in self.hub.database.rows("SELECT id FROM run WHERE state = 'queued'"):
            candidate.execute(self.hub, row["id"])
        self.admission.tend()
        for row in self.hub.database.rows("SELECT release FROM model WHERE state = 'approved'"):
            publish.execute(self.hub, row["release"])
        self.admission.tend()
        while self.world.engine.step_all():
            for row in self.hub.database.rows(
                "SELECT d.name FROM rollout_device r JOIN device d ON d.id = r.device WHERE r.state = 'offered'"
            ):
                self.world.commit(row["name"])


@pytest.mark.slow
def test_an_unshifted_month_starts_nothing_and_a_shift_is_learnt_and_rolled_out_without_a_hand(
    hub, database, tmp_path
):
    world = World(database)
    plant = Plant(hub, world, tmp_path / "offline")
    world.clock.pass_hours(24 * 30)
    plant.train()
    first = plant.champion.release
    for _ in range(6):
        plant.pass_days(5)
        assert plant.trainings() == []
    plant.pass_days(4)
    noticed = plant.hub.database.row("SELECT * FROM trigger_check ORDER BY id DESC")
    assert noticed["reasons"][0].startswith("drift of features: hall")
    assert noticed["held"].startswith("drift since ")
    for _ in range(5):
        plant.pass_days(4)
    started = plant.trainings()
    assert (len(started), plant.champion.release) == (1, f"{USE_CASE}/2")
    new_world = noticed["drift_since"] - timedelta(days=2)
    assert datetime.fromisoformat(started[0]["settings"]["since"]) == new_world
    learnt = find(plant.hub.database, plant.hub.artifacts, started[0]["dataset"]).examples()
    assert new_world <= to_datetime(int(learnt.times.min())) < new_world + timedelta(hours=EVERY_H)
    assert plant.error(plant.champion.release) < 0.8 * plant.error(first)
    under_one = (
        "SELECT action FROM audit WHERE correlation = %(correlation)s AND actor LIKE 'policy:%%' ORDER BY id"
    )
    acts = [row["action"] for row in plant.hub.database.rows(under_one, started[0])]
    assert acts[:3] == ["retrain.request", "release.approve", "rollout.start"]
    assert acts[-1] == "rollout.done"
    world.close()
