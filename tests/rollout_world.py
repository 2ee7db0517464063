"""A hub's database with a fleet in it, and devices that answer as a test says: for tests about rollouts."""

import dataclasses
import json
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud_hub.flows.champion import set_champion
from cloud_hub.hub import recorder, wake_rollouts
from cloud_hub.rollout import pins
from cloud_hub.rollout.engine import Engine
from cloud_hub.rollout.plan import Plan, Selector, Wave
from cloud_hub.rollout.rollouts import Rollouts
from cloud_hub.store.database import Database
from wire.clock import Clock, to_datetime
from wire.directive import Directive, SignedDirective, sign
from wire.manifest import Input, Manifest, Output

USE_CASE = "motor-health"
START_US = 1_790_000_000_000_000


class HandClock(Clock):
    """A clock that a test sets by hand."""

    def __new__(cls) -> "HandClock":
        clock = super().__new__(cls)
        object.__setattr__(clock, "moment_us", START_US)
        return clock

    def now_us(self) -> int:
        return self.moment_us

    def rate(self) -> float:
        return 1.0

    def pass_hours(self, hours: float) -> None:
        object.__setattr__(self, "moment_us", self.moment_us + round(hours * 3_600_000_000))


def plan(release=f"{USE_CASE}/1", waves=("1", "50%", "100%"), use_case=USE_CASE, **changes) -> Plan:
    selector = Selector(**changes.pop("selector", {}))
    return Plan(
        release=release,
        use_case=use_case,
        waves=tuple(map(Wave.parse, waves)),
        selector=selector,
        **changes,
    )


def manifest(version: int, **changes) -> Manifest:
    row = Manifest(
        use_case=USE_CASE,
        version=version,
        release=f"{USE_CASE}/{version}",
        machine_class="motor-pump",
        feature_set="vibration-trend/1",
        inputs=(Input(name="pressure", unit="bar"),),
        outputs=(Output(name="remaining_life", unit="h", low=0, high=400),),
        rtol=1e-3,
        atol=1e-2,
    )
    return dataclasses.replace(row, **changes)


class World:
    def __init__(self, conninfo: str) -> None:
        self.database = Database(conninfo).open()
        self.clock = HandClock()
        self.key = Ed25519PrivateKey.generate()
        self.record = record = recorder(self.clock)
        self.rollouts = Rollouts(
            self.database, self.clock, record=record, wake=wake_rollouts, crown=set_champion
        )
        self.engine = Engine(
            self.database, self.clock, sign=self.sign, record=record, crown=set_champion, tend_s=0.0
        )

    def close(self) -> None:
        self.database.close()

    def sign(self, directives: Sequence[Directive]) -> list[SignedDirective]:
        return [sign(directive, self.key) for directive in directives]

    def add_devices(
        self, *names: str, site="plant-1", zone="UTC", machine_class="motor-pump", **columns
    ) -> None:
        row = {
            "profile": "generic",
            "tags": [],
            "online": True,
            "retired": None,
            "target": "linux-x86_64",
        } | columns
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO site (name, zone) VALUES (%s, %s) ON CONFLICT DO NOTHING", [site, zone]
            )
            for name in names:
                fingerprint = row.get("key_fingerprint", name.encode().hex())
                connection.execute(
                    """INSERT INTO device (name, site, profile, tags, online, retired, target, key_fingerprint, added)
                       SELECT %s, id, %s, %s, %s, %s, %s, %s, %s FROM site WHERE name = %s""",
                    [
                        name,
                        row["profile"],
                        row["tags"],
                        row["online"],
                        row["retired"],
                        row["target"],
                        fingerprint,
                        self.clock.now(),
                        site,
                    ],
                )
                connection.execute(
                    """INSERT INTO machine (name, device, machine_class, added)
                       SELECT %s, id, %s, %s FROM device WHERE name = %s""",
                    [f"{name}-pump", machine_class, self.clock.now(), name],
                )

    def add_release(self, version: int, state="released", gate=None, **changes) -> str:
        release = f"{USE_CASE}/{version}"
        bundle = ("bundles/x.zip", "ab" * 32) if state == "released" else (None, None)
        with self.database.transaction() as connection:
            connection.execute(
                """INSERT INTO run (id, use_case, state, correlation, created)
                   VALUES (%s, %s, 'done', %s, %s)""",
                [f"run-{version}", USE_CASE, f"trace-{version}", self.clock.now()],
            )
            connection.execute(
                """INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest,
                                      gate, bundle_path, bundle_sha256, created)
                   VALUES (%s, %s, %s, %s, %s, 'x.onnx', 'cd', %s, %s, %s, %s, %s)""",
                [
                    USE_CASE,
                    version,
                    release,
                    f"run-{version}",
                    state,
                    manifest(version, **changes).to_json().decode(),
                    json.dumps(gate or {}),
                    *bundle,
                    self.clock.now(),
                ],
            )
        return release

    def retire(self, device: str) -> None:
        self.change(device, "retired = %(now)s")

    def enrol_anew(self, device: str) -> None:
        """The device gets another key."""
        self.change(device, "key_fingerprint = md5(key_fingerprint)")

    def hear(self, device: str) -> None:
        """A batch of the device comes."""
        self.change(device, "last_batch = %(now)s")

    def change(self, device: str, what: str) -> None:
        about = {"device": device, "now": self.clock.now()}
        assert self.database.execute(f"UPDATE device SET {what} WHERE name = %(device)s", about) == 1

    def pin(self, device: str, *, reason="a trial") -> str:
        return pins.pin(self.database, self.clock, self.record, device, USE_CASE, actor="ada", reason=reason)

    def unpin(self, device: str) -> None:
        pins.unpin(self.database, self.clock, self.record, device, USE_CASE, actor="ada", reason="over")

    def why(self, rollout: str, device: str) -> str:
        row = self.database.row(
            """SELECT rd.reason FROM rollout_device rd JOIN device d ON d.id = rd.device
                WHERE rd.rollout = %(rollout)s AND d.name = %(device)s""",
            {"rollout": rollout, "device": device},
        )
        return row["reason"]

    def waves(self, rollout: str) -> dict[str, int]:
        rows = self.database.rows(
            """SELECT d.name, rd.wave FROM rollout_device rd JOIN device d ON d.id = rd.device
                WHERE rd.rollout = %(rollout)s ORDER BY d.name""",
            {"rollout": rollout},
        )
        return {row["name"]: row["wave"] for row in rows}

    def run_release(self, device: str, release: str, sequence: int = 0) -> None:
        """The device says that it runs ``release``."""
        self.database.execute(
            """INSERT INTO device_release (device, use_case, release, accepted_sequence, state, changed)
               SELECT id, %(use_case)s, %(release)s, %(sequence)s, 'idle', %(now)s FROM device WHERE name = %(device)s
               ON CONFLICT (device, use_case)
               DO UPDATE SET release = excluded.release, accepted_sequence = excluded.accepted_sequence""",
            {"device": device, "use_case": USE_CASE, "release": release}
            | {"sequence": sequence, "now": self.clock.now()},
        )

    def report(
        self, device: str, state: str, *, reason="", sequence=None, after_us=0, connection=None
    ) -> None:
        """The device reports ``state`` about its newest directive; in ``connection``'s transaction, if given."""
        found = self.directives(device)[-1]
        execute = self.database.execute if connection is None else connection.execute
        execute(
            """INSERT INTO report (device, use_case, directive_sequence, state, event, reason, release, rollout,
                                   correlation, evidence, time, received)
               SELECT id, %(use_case)s, %(sequence)s, %(state)s, '', %(reason)s, %(release)s, %(rollout)s,
                      '', '{}', %(time)s, %(now)s
                 FROM device WHERE name = %(device)s""",
            {"device": device, "use_case": USE_CASE, "state": state, "reason": reason}
            | {"sequence": sequence or found.sequence, "release": found.release, "rollout": found.rollout}
            | {"now": self.clock.now(), "time": to_datetime(self.clock.now_us() + after_us)},
        )

    def commit(self, device: str) -> None:
        """The device goes through with its newest directive."""
        newest = self.directives(device)[-1]
        self.report(device, "committed")
        self.run_release(device, newest.release, newest.sequence)

    def directives(self, device: str) -> list[Directive]:
        rows = self.database.rows(
            """SELECT signed FROM directive i JOIN device d ON d.id = i.device
                WHERE d.name = %(device)s ORDER BY i.sequence""",
            {"device": device},
        )
        return [Directive.from_json(SignedDirective.from_bytes(bytes(row["signed"])).payload) for row in rows]

    def directives_in_order(self, device: str) -> list[Directive]:
        """In the order in which they were issued."""
        rows = self.database.rows(
            """SELECT signed FROM directive i JOIN device d ON d.id = i.device
                WHERE d.name = %(device)s ORDER BY i.xmin::text::bigint""",
            {"device": device},
        )
        return [Directive.from_json(SignedDirective.from_bytes(bytes(row["signed"])).payload) for row in rows]

    def offered(self) -> set[str]:
        rows = self.database.rows("SELECT DISTINCT d.name FROM directive i JOIN device d ON d.id = i.device")
        return {row["name"] for row in rows}

    def state(self, rollout: str) -> str:
        row = self.database.row("SELECT state FROM rollout WHERE id = %(id)s", {"id": rollout})
        return row["state"]

    def reason(self, rollout: str) -> str:
        row = self.database.row("SELECT reason FROM rollout WHERE id = %(id)s", {"id": rollout})
        return row["reason"]

    def standings(self, rollout: str) -> dict[str, str]:
        rows = self.database.rows(
            """SELECT d.name, rd.state FROM rollout_device rd JOIN device d ON d.id = rd.device
                WHERE rd.rollout = %(id)s ORDER BY d.name""",
            {"id": rollout},
        )
        return {row["name"]: row["state"] for row in rows}

    def champion(self) -> str | None:
        row = self.database.row(
            """SELECT m.release FROM alias a JOIN model m USING (use_case, version)
                WHERE a.use_case = %(use_case)s AND a.name = 'champion'""",
            {"use_case": USE_CASE},
        )
        return row["release"] if row else None

    def actions(self) -> list[str]:
        return [row["action"] for row in self.database.rows("SELECT action FROM audit ORDER BY id")]
