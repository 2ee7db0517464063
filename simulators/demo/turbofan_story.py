"""The same loop on recorded data: C-MAPSS engines, from text file to predictions made by devices.

The training engines stream through agents, broker and database; one agent and the
ingest process are killed in mid-stream; a model is trained from the database,
signed and rolled out; the test engines stream, and what the *devices* predicted
at each engine's last cycle is scored against the recorded truth.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from simulators.demo.acts import LOOK_EVERY_S, Rollout, await_arrival, count_samples, produced, roll_out
from simulators.demo.errors import DemoError
from simulators.demo.factory import Factory
from simulators.demo.facts import Fact, at_most, equal, told
from simulators.demo.progress import Progress

USE_CASE = "turbofan-rul"
TRAIN, TEST = "train", "test"
WINGS = {source: tuple(f"{source}-wing-{number}" for number in (1, 2, 3)) for source in (TRAIN, TEST)}
CLIP_RMSE_BAR = 12.5


@dataclass(kw_only=True)
class TurbofanStory:
    factory: Factory
    progress: Progress
    data: Path  # a folder with train_FD001.txt, test_FD001.txt and RUL_FD001.txt
    subset: str = "FD001"
    bar: float = CLIP_RMSE_BAR

    def tell(self) -> list[Fact]:
        """Play the whole story; returns the facts it ends on."""
        self._open()
        self._stream_training()
        release = self._train()
        self._predict(release)
        return [*count_samples(self.factory, (TRAIN, TEST)), *self._score()]

    def live_on(self) -> None:
        """A moment after the story: the recordings have ended, the console stays."""
        self.factory.check()
        time.sleep(LOOK_EVERY_S)

    def _open(self) -> None:
        with self.progress.stage("hub: database, broker, keys") as stage:
            endpoints = self.factory.start_hub()
            stage.done(f"console {self.factory.console_link()}")
        with self.progress.stage("devices: certificates, agents") as stage:
            for source in (TRAIN, TEST):
                self.factory.hold(source)
                recording = str(recording_in(self.data, f"{source}_{self.subset}"))
                feeds = self.factory.start_source(
                    source, "replay", "cmapss", recording, devices=WINGS[source]
                )
                self.factory.enrol(feeds, site=source, hub_url=endpoints["device_url"])
                for device in WINGS[source]:
                    self.factory.start_agent(device)
            self.factory.await_births()
            stage.done(f"{sum(map(len, WINGS.values()))} agents, half of them waiting for the test engines")

    def _stream_training(self) -> None:
        with self.progress.stage("training engines, two SIGKILLs") as stage:
            self.factory.release(TRAIN)
            self._await_share(0.3)
            self.factory.kill_agent(WINGS[TRAIN][0])
            self._await_share(0.5)
            self.factory.kill_ingest()
            self._await_share(1.0)
            await_arrival(self.factory, TRAIN)
            rows = sum(row["readings"] for row in produced(self.factory, TRAIN).values())
            labels = str(self.factory.truth(TRAIN) / "labels.jsonl")
            logged = self.factory.commands.json("data", "import", labels, "--kind", "labels")
            stage.done(f"{rows:,} cycles, {logged['stored']} failures logged")

    def _await_share(self, share: float) -> None:
        """Wait until the source has given out ``share`` of all readings."""
        while True:
            self.factory.check()
            given = produced(self.factory, TRAIN)
            whole = self.factory.source_introduction(TRAIN)["last_positions"]
            if sum(row["position"] for row in given.values()) >= share * sum(whole.values()):
                return
            time.sleep(LOOK_EVERY_S / 5)

    def _train(self) -> str:
        with self.progress.stage("training from the database, gate") as stage:
            trained = self.factory.commands.json("model", "train", USE_CASE)
            release: str = trained["release"]
            if not trained["gate"]["passed"]:
                raise DemoError(f"the gate refused {release}: {trained['gate']['reason']}")
            self.factory.commands.json("model", "approve", release)
            stage.done(f"{release} from dataset {trained['dataset']}, signed")
        return release

    def _predict(self, release: str) -> None:
        with self.progress.stage("test engines, predicted on devices") as stage:

            def let_go(rollout: Rollout) -> None:
                if all(device["state"] == "probation" for device in rollout["devices"]):
                    self.factory.release(TEST)

            plan = ("--wave", "100%", "--soak", "0", "--site", TEST)
            ended = roll_out(self.factory, release, *plan, stage=stage, look=let_go)
            if ended["state"] != "done":
                raise DemoError(f"rollout {ended['id']} is {ended['state']}: {ended['reason']}")
            whole = self.factory.source_introduction(TEST)["last_positions"]
            while any(
                row["position"] < whole[device] for device, row in produced(self.factory, TEST).items()
            ):
                self.factory.check()
                time.sleep(LOOK_EVERY_S)
            await_arrival(self.factory, TEST)
            stage.done(f"{release} on {len(ended['devices'])} devices")

    def _score(self) -> list[Fact]:
        truth = self.factory.truth(TEST) / "rul.jsonl"
        score = self.factory.commands.json("model", "score", USE_CASE, "--truth", str(truth))
        raw = score["raw"]
        engines = f"{self.subset}, {score['machines']} engines"
        return [
            at_most(f"RMSE, clip ({engines})", score["rmse"], self.bar),
            Fact(
                name="the same of the trivial baseline",
                found=f"{score['baseline_rmse']:.2f}",
                expected="worse than the model's",
                holds=score["baseline_rmse"] > score["rmse"],
            ),
            equal("engines without a prediction", len(score["unforeseen"]), 0),
            told(f"NASA score, clip ({engines})", f"{score['nasa']:.0f}"),
            told(f"RMSE, raw ({engines})", f"{raw['rmse']:.2f}"),
            told(f"NASA score, raw ({engines})", f"{raw['nasa']:.0f}"),
        ]


def recording_in(folder: Path, name: str) -> Path:
    """The recording ``name`` in ``folder``, packed or not."""
    for suffix in (".txt", ".txt.gz"):
        if (folder / f"{name}{suffix}").exists():
            return folder / f"{name}{suffix}"
    raise DemoError(f"expected {name}.txt or {name}.txt.gz of C-MAPSS in {folder}, found neither")
