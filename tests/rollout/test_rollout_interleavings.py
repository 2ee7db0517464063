"""The real engine on the real database, whatever devices say, whoever acts, whenever a step is killed.

A fleet, a plan and a long list of what happens are drawn; the promises are looked at after
every step, and in the end time is driven forward until each rollout has ended.
"""

import dataclasses
import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from threading import Thread

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollout_world import USE_CASE, World, plan

from cloud_hub.errors import ConflictError
from cloud_hub.flows.champion import set_champion
from cloud_hub.rollout.engine import Engine
from cloud_hub.rollout.plan import Late, PlanError, Silent
from cloud_hub.rollout.states import COMMITTED, FAILURES, FINAL, IDLE, SETTLED, SILENT, WAITING, WITHDRAWN

EXAMPLES = os.environ.get("ANDON_ROLLOUT_EXAMPLES", "")  # more, and others each time
NUMBERS = itertools.count(1)
SAID = ["accepted", "downloading", "deferred", "probation", "committed", "committed", "rolled-back", "failed"]
ACTIVE = ("running", "awaiting", "paused")


class CrashError(Exception):
    """The process ends before its commit."""


class Ground:
    """A fleet of its own in a database that all examples share, and what was seen of it so far."""

    def __init__(self, world: World, devices: int) -> None:
        self.world = world
        self.site = f"site-{next(NUMBERS)}"
        self.names: list[str] = []
        self.rollouts: list[str] = []
        self.anew: Counter[str] = Counter()
        self.seen: dict[str, list[int]] = {}
        self.slow: list[psycopg.Connection] = []
        self.engines = [self.engine(), self.engine()]
        for _ in range(devices):
            self.join()

    def engine(self, **changes) -> Engine:
        world = self.world
        parts = {"sign": world.sign, "record": world.record, "crown": set_champion, "tend_s": 0.0}
        return Engine(world.database, world.clock, **parts | changes)

    def join(self) -> None:
        name = f"device-{next(NUMBERS)}"
        self.world.add_devices(name, site=self.site)
        self.world.run_release(name, f"{USE_CASE}/1")
        self.names.append(name)
        self.seen[name] = []

    def start(self, made, release: int, *, supersede: bool) -> None:
        chosen = dataclasses.replace(made, release=f"{USE_CASE}/{release}")
        try:
            self.rollouts.append(self.world.rollouts.start(chosen, actor="ada", supersede=supersede))
        except (ConflictError, PlanError):
            return  # another one is in the way, or nobody is left

    def act(self, act: str, which: int) -> None:
        rollout = self.rollouts[which % len(self.rollouts)]
        try:
            getattr(self.world.rollouts, act)(rollout, actor="bea", reason="drawn")
        except ConflictError:
            return

    def step(self, which: int) -> None:
        before = {rollout: self.row(rollout) for rollout in self.rollouts}
        self.engines[which].step_all()
        self.check_step(before)

    def step_twice_at_once(self) -> None:
        threads = [Thread(target=engine.step_all) for engine in self.engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.check()

    def crash(self) -> None:
        """A step is killed when all its work is done and nothing is committed."""
        before = [self.row(rollout) for rollout in self.rollouts]

        def die(connection, **act):
            self.world.record(connection, **act)
            raise CrashError

        try:
            self.engine(record=die).step_all()
        except CrashError:
            assert {**before[0]}.keys() == {**self.row(self.rollouts[0])}.keys()
        self.check()

    def report(self, device: int, state: str, *, which: int, times: int, after_us: int, slow: bool) -> None:
        """About the newest directive, an older one, or one that there never was."""
        name = self.names[device % len(self.names)]
        known = self.world.directives(name)
        if not known:
            return
        sequence = known[-1].sequence if which == 0 else known[0].sequence if which == 1 else 17
        connection = self.world.database.connect(autocommit=False) if slow else None
        for _ in range(times):
            self.world.report(
                name, state, sequence=sequence, after_us=after_us, connection=connection, reason="drawn"
            )
        if connection is not None:
            self.slow.append(connection)

    def land(self) -> None:
        """What was written before others, and commits after them."""
        for connection in self.slow:
            connection.commit()
            connection.close()
        self.slow.clear()

    def row(self, rollout: str) -> dict:
        row = self.world.database.row("SELECT * FROM rollout WHERE id = %(id)s", {"id": rollout})
        return row | {"devices": self.standings(rollout)}

    def standings(self, rollout: str) -> list[dict]:
        return self.world.database.rows(
            """SELECT d.name, d.retired IS NOT NULL AS retired, rd.* FROM rollout_device rd
                 JOIN device d ON d.id = rd.device WHERE rd.rollout = %(id)s ORDER BY rd.device""",
            {"id": rollout},
        )

    # ---------------------------------------------------------------- promises

    def check(self) -> None:
        for rollout in self.rollouts:
            row = self.row(rollout)
            reached = [each for each in row["devices"] if each["state"] not in (WAITING, WITHDRAWN)]
            assert all(each["wave"] <= row["wave"] for each in reached), "offered beyond the open waves"
        self.check_directives()
        self.check_one_active()

    def check_step(self, before: dict[str, dict]) -> None:
        self.check()
        for rollout, was in before.items():
            row = self.row(rollout)
            assert row["wave"] - was["wave"] in (0, 1)
            if row["wave"] > was["wave"]:
                self.check_widened(row)
            fresh = [each for each in row["devices"] if each["state"] == "offered"]
            if row["state"] in ACTIVE and len(fresh) > sum(e["state"] == "offered" for e in was["devices"]):
                self.check_cap(row)

    def check_widened(self, row: dict) -> None:
        made = row["plan"]
        assert row["wave"] not in row["approvals"] or row["wave"] <= row["approved"], "nobody approved"
        for wave in range(1, row["wave"]):
            members = [each["state"] for each in row["devices"] if each["wave"] == wave]
            lost = made["silent"] == "fail"
            failed = sum(state in FAILURES or (lost and state == SILENT) for state in members)
            skipped = sum(state == WITHDRAWN or (state == SILENT and not lost) for state in members)
            assert failed <= (len(members) - skipped) * made["tolerated"] + 1e-9, "over its error threshold"
        newest = [each["state"] for each in row["devices"] if each["wave"] == row["wave"] - 1]
        if newest:
            committed = newest.count(COMMITTED)
            assert committed > 0, "proved nothing"
            asked = len(newest) - newest.count(WITHDRAWN)
            assert committed >= asked * (made["succeed"] or 0) - 1e-9, "under its success threshold"

    def check_cap(self, row: dict) -> None:
        most = row["plan"]["at_once"]
        under_way = [each for each in row["devices"] if each["state"] not in SETTLED | IDLE]
        assert most is None or len(under_way) <= most, "more under way than the cap allows"

    def check_directives(self) -> None:
        """One for each offer, under numbers that only rise."""
        for name in self.names:
            known = self.world.directives_in_order(name)
            sequences = [each.sequence for each in known]
            assert sequences[: len(self.seen[name])] == self.seen[name]
            assert all(a < b for a, b in itertools.pairwise(sequences)), "a number did not rise"
            self.seen[name] = sequences
            again = self.anew[name] + 1  # a new key each, and one return from silence
            for rollout, mode in {(each.rollout, each.mode) for each in known}:
                count = sum((each.rollout, each.mode) == (rollout, mode) for each in known)
                assert count <= 1 + again, "offered again and again"

    def check_one_active(self) -> None:
        rows = self.world.database.rows(
            """SELECT rd.device FROM rollout_device rd JOIN rollout r ON r.id = rd.rollout
                WHERE r.id = ANY (%(ids)s) AND rd.state <> 'withdrawn'
                  AND (r.state = ANY (%(active)s) OR rd.state = 'returning')
                GROUP BY rd.device HAVING count(*) > 1""",
            {"ids": self.rollouts, "active": list(ACTIVE)},
        )
        assert rows == [], "two rollouts direct one device"

    def drive_to_the_end(self) -> None:
        """Time passes, somebody approves and resumes: then every rollout ends."""
        self.land()
        for _ in range(60):
            for rollout in self.rollouts:
                state = self.world.state(rollout)
                act = {"paused": "resume", "awaiting": "approve"}.get(state)
                if act:
                    getattr(self.world.rollouts, act)(rollout, actor="bea")
            self.step(0)
            self.world.clock.pass_hours(30)
            rows = [self.row(rollout) for rollout in self.rollouts]
            if not any(row["state"] in ACTIVE or row["followed"] for row in rows):
                return
        raise AssertionError(f"never ends: {[(row['state'], row['reason']) for row in rows]}")

    def check_undone(self) -> None:
        for rollout in self.rollouts:
            row = self.row(rollout)
            for each in row["devices"] if row["state"] == "undone" else ():
                if each["sequence"] is not None and each["state"] != WITHDRAWN:
                    newest = self.world.directives_in_order(each["name"])
                    mine = [directive for directive in newest if directive.rollout == rollout]
                    assert mine[-1].mode == "undo" or (each["state"] == "kept" and each["reason"]), each


@pytest.fixture(scope="module")
def world(database_url: str, migrated_template: str) -> Iterator[World]:
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE rollouts TEMPLATE {migrated_template}")
        made = World(database_url.replace("@/andon?", "@/rollouts?"))
        for release in (1, 2, 3):
            made.add_release(release)
        yield made
        made.close()
        server.execute("DROP DATABASE rollouts WITH (FORCE)")


plans = st.fixed_dictionaries(
    {
        "waves": st.sampled_from([("1", "50%", "100%"), ("100%",), ("2", "100%"), ("30%", "60%", "100%")]),
        "tolerated": st.sampled_from([0.0, 0.3, 0.5]),
        "succeed": st.sampled_from([None, 0.4, 0.5]),
        "soak_hours": st.sampled_from([0.0, 5.0]),
        "timeout_hours": st.sampled_from([8.0, 24.0 * 8]),
        "silent": st.sampled_from(Silent),
        "at_once": st.sampled_from([None, 1, 2]),
        "approve_before": st.sampled_from([(), (1,)]),
        "late": st.sampled_from(Late),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(0, 1)),
        st.tuples(st.just("step"), st.integers(0, 1)),
        st.tuples(st.just("commit"), st.integers(0, 9)),
        st.tuples(st.just("report"), st.integers(0, 9), st.sampled_from(SAID), st.sampled_from([0, 0, 0, 1, 2]),
                  st.integers(1, 2), st.integers(-10**6, 10**6), st.booleans()),
        st.just(("land",)),
        st.tuples(st.just("act"), st.sampled_from(["approve", "approve", "pause", "resume", "abort", "undo"]), st.integers(0, 2)),
        st.tuples(st.just("hours"), st.sampled_from([-3.0, 1.0, 6.0, 9.0, 24.0 * 7])),
        st.tuples(st.just("device"), st.sampled_from(["retire", "anew", "pin", "unpin", "hear"]), st.integers(0, 9)),
        st.just(("join",)),
        st.just(("restart",)),
        st.just(("crash",)),
        st.just(("both",)),
        st.tuples(st.just("start"), st.sampled_from([1, 2, 3]), st.booleans()),
    ),
    min_size=8,
    max_size=30,
)  # fmt: skip


@settings(
    max_examples=int(EXAMPLES or 15),
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(devices=st.integers(2, 6), changes=plans, todo=steps)
def test_whatever_happens_the_promises_of_a_rollout_hold(world: World, devices, changes, todo) -> None:
    ground = Ground(world, devices)
    made = plan(selector={"sites": (ground.site,)}, **changes)
    ground.start(made, 2, supersede=False)
    for step in todo:
        perform(ground, made, step)
    ground.check()
    ground.drive_to_the_end()
    ground.check_undone()


def perform(ground: Ground, made, step: tuple) -> None:
    match step:
        case ("step", which):
            ground.step(which)
        case ("commit", device):
            ground.report(device, COMMITTED, which=0, times=1, after_us=0, slow=False)
        case ("report", device, state, which, times, after_us, slow):
            ground.report(device, state, which=which, times=times, after_us=after_us, slow=slow)
        case ("land",):
            ground.land()
        case ("act", act, which):
            ground.act(act, which)
        case ("hours", hours):
            ground.world.clock.pass_hours(hours)
        case ("device", what, device):
            change(ground, what, ground.names[device % len(ground.names)])
        case ("join",):
            ground.join()
        case ("restart",):
            ground.engines = [ground.engine(), ground.engine()]
        case ("crash",):
            ground.crash()
        case ("both",):
            ground.step_twice_at_once()
        case ("start", release, supersede):
            ground.start(made, release, supersede=supersede)


def change(ground: Ground, what: str, name: str) -> None:
    try:
        match what:
            case "retire":
                ground.world.retire(name)
            case "anew":
                ground.world.enrol_anew(name)
                ground.anew[name] += 1
            case "pin":
                ground.world.pin(name)
            case "unpin":
                ground.world.unpin(name)
            case "hear":
                ground.world.hear(name)
    except ConflictError:
        return


@settings(
    max_examples=int(EXAMPLES or 8),
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    said=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(SAID), st.integers(0, 50)), min_size=1, max_size=12
    ),
    seed=st.integers(0, 999),
)
def test_where_devices_end_up_does_not_depend_on_the_order_in_which_their_reports_arrive(
    world: World, said, seed
) -> None:
    """A device says one final word about a directive, as often as it likes; the rest in any order."""
    last = {device: state for device, state, _ in said if state in FINAL}
    said = [each for each in said if each[1] not in FINAL] + [
        (device, state, 60) for device, state in last.items()
    ]
    ends = []
    shuffled = random.Random(seed).sample(said * 2, len(said) * 2)
    for reports, steps_between in ((said, False), (shuffled, True)):
        ground = Ground(world, 3)
        ground.start(plan(waves=("100%",), selector={"sites": (ground.site,)}), 2, supersede=False)
        ground.step(0)
        for device, state, after_us in reports:
            world.report(ground.names[device], state, after_us=after_us)
            if steps_between:
                ground.step(0)
        ground.step(1)
        ends.append([each["state"] for each in ground.standings(ground.rollouts[0])])
        ground.drive_to_the_end()
    assert ends[0] == ends[1]
