"""The demonstration's story: six devices, twenty-four motor-pump sets, and a loop that closes.

History passes at eight hours a second through the real path until machines have
failed; a model is trained, proven, signed and rolled out in waves; it foresees
failures; then a bad model is released on purpose and undoes itself. Nothing here
reaches into the factory: every act is an `andon` command, every figure its JSON.
"""

import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulators.demo.acts import LOOK_EVERY_S, Rollout, await_arrival, count_samples, roll_out
from simulators.demo.errors import DemoError
from simulators.demo.factory import Factory
from simulators.demo.facts import Fact, at_least, equal
from simulators.demo.progress import Progress, Stage

USE_CASE = "motor-health"
SOURCE = "machines"
DEVICES = tuple(f"cell-{number}" for number in range(1, 7))
MACHINES = 4  # on each: a gate wants to see some that nothing was learnt from
FACTOR = 28_800.0  # eight hours a second
FAILURES_BEFORE_KILLS = 8  # then one agent and the ingest process lose their power
ENOUGH_FAILURES = 36
LABELS_EVERY_S = 6.0
FORESIGHT_S = 30.0  # at least so long the fleet predicts before the bad release
PLAN = ("--wave", "1", "--wave", "50%", "--wave", "100%", "--soak", "6")

Record = dict[str, Any]


@dataclass(kw_only=True)
class PumpStory:
    factory: Factory
    progress: Progress
    seed: int
    _logged: float = field(default=0.0, init=False)
    _release: str = field(default="", init=False)

    def tell(self) -> list[Fact]:
        """Play the whole story; returns the facts it ends on."""
        self._open()
        self._history()
        self._train()
        self._roll_out()
        self._foresee()
        bad = self._bad_release()
        return [*self._count(), *self._foresight(), *bad]

    def live_on(self) -> None:
        """A moment of ordinary life after the story: machines fail, and people go on logging it."""
        self.factory.check()
        time.sleep(LOOK_EVERY_S)
        self._log_labels()

    def _open(self) -> None:
        with self.progress.stage("hub: database, broker, keys") as stage:
            endpoints = self.factory.start_hub()
            stage.done(f"console {self.factory.console_link()}")
        with self.progress.stage("devices: certificates, agents") as stage:
            drawn = ("--seed", str(self.seed), "--machines-per-device", str(MACHINES), "--erosion", "felt")
            feeds = self.factory.start_source(SOURCE, "machine", *drawn, devices=DEVICES)
            self.factory.enrol(feeds, site="lyon", hub_url=endpoints["device_url"], probation_hours=12.0)
            for device in DEVICES:
                self.factory.start_agent(device)
            self.factory.await_births()
            stage.done(f"{len(DEVICES)} agents, each a process with a key of its own")

    def _history(self) -> None:
        with self.progress.stage("history: run to failure, 2 SIGKILLs") as stage:
            while len(self._failures()) < FAILURES_BEFORE_KILLS:
                self._look(stage)
            self.factory.kill_agent(DEVICES[2])
            self.factory.kill_ingest()
            while len(self._failures()) < ENOUGH_FAILURES:
                self._look(stage)
            self._log_labels(force=True)
            stage.done(f"{len(self._failures())} failures in {self._stored():,} samples")

    def _train(self) -> None:
        with self.progress.stage("training and gate") as stage:
            trained = self.factory.commands.json("model", "train", USE_CASE)
            self._release = trained["release"]
            if not trained["gate"]["passed"]:
                raise DemoError(f"the gate refused {self._release}: {trained['gate']['reason']}")
            stage.done(f"{self._release} from dataset {trained['dataset']}")

    def _roll_out(self) -> None:
        with self.progress.stage("sign, then roll out in waves") as stage:
            self.factory.commands.json("model", "approve", self._release)
            ended = roll_out(self.factory, self._release, *PLAN, stage=stage, look=self._keep_logging)
            if ended["state"] != "done":
                raise DemoError(f"rollout {ended['id']} is {ended['state']}: {ended['reason']}")
            stage.done(f"{self._release} on {len(ended['devices'])} devices, in {ended['wave']} waves")

    def _foresee(self) -> None:
        with self.progress.stage("predictions and alarms") as stage:
            began = time.monotonic()
            while time.monotonic() - began < FORESIGHT_S or not self._foreseen():
                self._look(stage)
            self._log_labels(force=True)
            foreseen = self._foreseen()
            machine, hours = max(foreseen.items(), key=lambda pair: pair[1])
            stage.done(f"{len(foreseen)} failures foreseen, that of {machine} {hours:.0f} h ahead")

    def _bad_release(self) -> list[Fact]:
        with self.progress.stage("a bad release undoes itself") as stage:
            refused = self._spoiled()
            ended = roll_out(self.factory, refused["release"], *PLAN, stage=stage, look=self._keep_logging)
            stage.done(f"{ended['state']} in wave {ended['wave']}: {ended['reason']}")
        running = {
            device["name"]: release["release"]
            for device in self.factory.commands.json("device", "list")
            for release in device["releases"]
        }
        states = [device["state"] for device in ended["devices"]]
        return [
            equal("the gate lets the bad model pass", refused["gate"]["passed"], False),
            equal(
                "its rollout, overridden by hand",
                f"{ended['state']} in wave {ended['wave']}",
                "halted in wave 1",
            ),
            equal("devices that went back by themselves", states.count("rolled-back"), 1),
            *(equal(f"release on {name}", running.get(name), self._release) for name in DEVICES),
        ]

    def _spoiled(self) -> Record:
        """A model that loads, runs and is wrong; the gate says no, and a person overrides it."""
        commands, folder = self.factory.commands, self.factory.folder
        good, bad = folder / "good.onnx", folder / "bad.onnx"
        commands.json("model", "export", self._release, "--out", str(good))
        commands.text("sim", "spoil", str(good), "--out", str(bad), "--how", "inverted")
        trained: Record = commands.json("model", "train", USE_CASE, "--onnx", str(bad))
        why = "demonstration: prove that the fleet undoes a bad model"
        commands.json("model", "approve", trained["release"], "--override", why)
        return trained

    def _count(self) -> list[Fact]:
        """Hold the machines still, let everything arrive, compare what was sensed with what is stored."""
        with self.progress.stage("count what was sensed and stored"):
            self.factory.hold(SOURCE)
            time.sleep(2 * LOOK_EVERY_S + 1)  # the source writes down what it gave out once a second
            await_arrival(self.factory, SOURCE)
            facts = count_samples(self.factory, [SOURCE])
            self.factory.release(SOURCE)
        return facts

    def _foresight(self) -> list[Fact]:
        """The devices' own predictions for machines no model has learned from, against the truth."""
        truth = self.factory.truth(SOURCE) / "failures.jsonl"
        score = self.factory.commands.json(
            "model", "score", self._release, "--truth", str(truth), "--held-out"
        )
        unit = score["unit"]
        return [
            Fact(
                name=f"error of the remaining life, held-out machines ({score['predictions']:,} times)",
                found=f"{score['rmse']:.0f} {unit}",
                expected=f"< {score['baseline_rmse']:.0f} {unit}, the trivial baseline",
                holds=score["rmse"] < score["baseline_rmse"],
            ),
            at_least("failures foreseen by an alarm", len(self._foreseen()), 1),
        ]

    def _look(self, stage: Stage) -> None:
        """Let a moment pass, in which the plant's people log what happened."""
        self.live_on()
        now = self.factory.clock.now()
        stage.tell(f"{now:%Y-%m-%d}, {len(self._failures())} failures, {self._stored():,} samples stored")

    def _keep_logging(self, _: Rollout) -> None:
        self._log_labels()

    def _log_labels(self, *, force: bool = False) -> None:
        """What the maintenance engineer does: log failures and repairs at the hub."""
        if not force and time.monotonic() - self._logged < LABELS_EVERY_S:
            return
        self._logged = time.monotonic()
        truth, until = str(self.factory.truth(SOURCE)), self.factory.clock.now().isoformat()
        book = self.factory.folder / "labels.jsonl"
        book.write_text(
            self.factory.commands.text("sim", "truth", "--truth", truth, "--until", until, "--json")
        )
        if book.stat().st_size:
            self.factory.commands.json("data", "import", str(book), "--kind", "labels")

    def _labels(self, kind: str) -> list[Record]:
        book = self.factory.folder / "labels.jsonl"
        lines = book.read_text().splitlines() if book.exists() else []
        return [label for label in map(json.loads, lines) if label["kind"] == kind]

    def _failures(self) -> list[Record]:
        return self._labels("failure")

    def _stored(self) -> int:
        return sum(self.factory.agent(device).samples for device in DEVICES)

    def _foreseen(self) -> dict[str, float]:
        """Hours between the first alarm of a life and the failure that ended it, by machine."""
        alarms = self.factory.commands.json("data", "alarms", "--most", "10000")
        repairs = self._labels("maintenance")
        ahead = {}
        for failure in self._failures():
            machine, failed = failure["machine"], _moment(failure["time"])
            began = [
                _moment(r["time"]) for r in repairs if r["machine"] == machine and _moment(r["time"]) < failed
            ]
            opened = [_moment(alarm["opened"]) for alarm in alarms if alarm["machine"] == machine]
            in_life = [time for time in opened if time < failed and (not began or time > max(began))]
            if in_life:
                ahead[machine] = (failed - min(in_life)).total_seconds() / 3600
        return ahead


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
