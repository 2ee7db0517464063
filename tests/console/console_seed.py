"""A small plant in the database, as ingest, training and rollouts would have left it."""

import json
import math
from datetime import datetime, timedelta
from random import Random

from psycopg.types.json import Jsonb

from cloud_hub.hub import Hub
from cloud_hub.rollout.plan import Plan, Wave
from cloud_hub.store.database import Connection
from wire.manifest import AlarmRule, Input, IntervalTable, Manifest, Output

USE_CASE = "motor-health"
DAYS = 14
SIGNALS = (
    ("pressure", "bar", 4.2, 0.3),
    ("temperature", "Cel", 58.0, 6.0),
    ("flow", "m3/h", 31.0, 2.0),
    ("current", "A", 12.0, 1.5),
    ("speed", "/min", 1470.0, 12.0),
)
LIVES = {"pump-1": 61.0, "pump-2": 188.0, "pump-3": 92.0, "pump-4": 231.0, "pump-5": 240.0}


def seed(hub: Hub, *, hostile: str = "") -> str:
    """Fill the hub's database; ``hostile`` replaces every text a device can choose. Returns the rollout."""
    now = hub.clock.now()
    with hub.database.transaction() as connection:
        for table in ("sample", "prediction", "feature"):
            connection.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
        connection.execute("INSERT INTO site (name, zone) VALUES ('lyon', 'Europe/Paris')")
        for number in range(1, 4):
            add_device(connection, f"cell-{number}", now, online=number != 3, hostile=hostile)
        for number, (machine, life) in enumerate(LIVES.items()):
            add_machine(connection, machine, f"cell-{number // 2 + 1}", life=life, now=now, hostile=hostile)
        _models(connection, now)
        _troubles(connection, now, hostile)
    return _rollout(hub, now, hostile)


def add_device(
    connection: Connection, name: str, now: datetime, *, online: bool, hostile: str = "", site: str = "lyon"
) -> None:
    connection.execute(
        """INSERT INTO device (name, site, profile, key_fingerprint, added, enrolled, online, status_since,
                               status_reason, born, agent_version, target, last_batch, skew_s, rejected)
           SELECT %(name)s, id, 'generic-x86', %(name)s, %(added)s, %(added)s, %(online)s, %(now)s, %(reason)s,
                  %(now)s, %(version)s, 'linux-x86_64', %(now)s, 0.031, %(rejected)s FROM site WHERE name = %(site)s""",
        {
            "name": name,
            "site": site,
            "added": now - timedelta(days=30),
            "online": online,
            "now": now - timedelta(minutes=3),
        }
        | {"reason": hostile, "version": hostile or "0.1.0", "rejected": 0 if online else 7},
    )
    connection.execute(
        """INSERT INTO device_release (device, use_case, release, accepted_sequence, state, changed)
           SELECT id, %s, %s, 1, 'idle', %s FROM device WHERE name = %s""",
        [USE_CASE, f"{USE_CASE}/1", now, name],
    )
    connection.execute(
        """INSERT INTO mark (device, epoch, mark, opened, last_seen, resent, highest)
           SELECT id, 5, 4321, %s, %s, 12, 4330 FROM device WHERE name = %s""",
        [now - timedelta(days=3), now, name],
    )


def add_machine(
    connection: Connection, name: str, device: str, *, life: float, now: datetime, hostile: str = ""
) -> None:
    """With two weeks of samples and predictions, an hour apart."""
    machine = _id(
        connection,
        """INSERT INTO machine (name, device, machine_class, feature_set, added)
           SELECT %s, id, 'motor-pump', 'vibration-trend/1', %s FROM device WHERE name = %s RETURNING id""",
        [name + hostile, now - timedelta(days=30), device],
    )
    hours = range(DAYS * 24 + 1)
    times = [now - timedelta(hours=DAYS * 24 - hour) for hour in hours]
    for text, unit, mean, swing in SIGNALS:
        signal = _id(
            connection,
            "INSERT INTO signal (machine, name, unit, kind) VALUES (%s, %s, %s, 'scalar') RETURNING id",
            [machine, text + hostile, unit],
        )
        noise = Random(f"{name} {text}")  # the same every time
        values = [
            mean + swing * (math.sin(hour / 3.8 + mean) + hour / 900 + noise.gauss(0, 0.25)) for hour in hours
        ]
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY sample (time, signal, value) FROM STDIN") as copy,
        ):
            for row in zip(times, values, strict=True):
                copy.write_row((row[0], signal, row[1]))
        connection.execute("INSERT INTO latest VALUES (%s, %s, %s)", [signal, times[-1], values[-1]])
        connection.execute(
            "INSERT INTO touched SELECT %s, date_trunc('hour', time) FROM unnest(%s::timestamptz[]) AS time",
            [signal, times],
        )
    noise = Random(name)  # as above; the newest is as it is
    shaken = [noise.gauss(0, 3.5) if hour < hours[-1] else 0.0 for hour in hours]
    lives = [
        min(250.0, life + (hours[-1] - hour) * 0.9 + 6 * math.sin(hour / 5) + shaken[hour]) for hour in hours
    ]
    rows = [[each, each - 14, min(each + 18, 260.0), max(0.1, 1.6 - each / 140)] for each in lives]
    cell = connection.execute("SELECT device FROM machine WHERE id = %s", [machine]).fetchone()
    assert cell is not None
    fields = "COPY prediction (time, machine, device, epoch, sequence, release, values) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(fields) as copy:
        for hour, (time, row) in enumerate(zip(times, rows, strict=True)):
            copy.write_row((time, machine, cell["device"], 5, 1, f"{USE_CASE}/{1 + (hour > 200)}", row))
    connection.execute(
        "INSERT INTO latest_prediction VALUES (%s, %s, %s, %s, %s)",
        [machine, USE_CASE, f"{USE_CASE}/2", times[-1], rows[-1]],
    )


def _models(connection: Connection, now: datetime) -> None:
    connection.execute(
        "INSERT INTO dataset VALUES (%s, %s, %s, 'datasets/a', 20160, 12, 26, 'vibration-trend/1', %s, %s)",
        ["motor-health-3f9a0c11d2e4", USE_CASE, "3f9a0c11d2e4" * 5, _dataset(), now - timedelta(days=2)],
    )
    for version, state, passed in ((1, "released", True), (2, "released", True), (3, "refused", False)):
        connection.execute(
            """INSERT INTO run (id, use_case, dataset, state, progress, code, correlation, created, finished)
               VALUES (%s, %s, 'motor-health-3f9a0c11d2e4', 'done', 1, 'andon 0.1.0', %s, %s, %s)""",
            [f"{USE_CASE}-r{version}", USE_CASE, f"trace-{version}", now - timedelta(days=3 - version), now],
        )
        connection.execute(
            """INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate,
                                  bundle_path, bundle_sha256, created, released)
               VALUES (%s, %s, %s, %s, %s, 'x.onnx', %s, %s, %s, %s, %s, %s, %s)""",
            [
                *(USE_CASE, version, f"{USE_CASE}/{version}", f"{USE_CASE}-r{version}", state, "c4" * 32),
                *(
                    _manifest(version),
                    _gate(passed=passed),
                    *(("b.zip", "ab" * 32) if passed else (None, None)),
                ),
                *(now - timedelta(days=3 - version), now if passed else None),
            ],
        )
    connection.execute("INSERT INTO alias VALUES (%s, 'champion', 1), (%s, 'candidate', 2)", [USE_CASE] * 2)
    connection.execute(
        "INSERT INTO approval (release, person, approved) VALUES (%s, 'mira', %s)", [f"{USE_CASE}/2", now]
    )
    connection.execute(
        """INSERT INTO run (id, use_case, state, stage, progress, correlation, created)
           VALUES ('motor-health-r4', %s, 'running', 'training', 0.4, 'trace-4', %s)""",
        [USE_CASE, now],
    )


def _troubles(connection: Connection, now: datetime, hostile: str) -> None:
    message = hostile or "remaining life 61 h is below 72 h, 3 in a row"
    connection.execute(
        """INSERT INTO alarm (machine, use_case, release, opened, severity, message)
           SELECT id, %s, %s, %s, 1, %s FROM machine WHERE name LIKE 'pump-1%%'""",
        [USE_CASE, f"{USE_CASE}/2", now - timedelta(hours=7), message],
    )
    connection.execute(
        """INSERT INTO label (machine, time, kind, source, added)
           SELECT id, %s, kind, 'cmms', %s FROM machine, (VALUES ('failure'), ('maintenance')) AS k (kind)
            WHERE name LIKE 'pump-1%%'""",
        [now - timedelta(days=5), now],
    )
    connection.execute(
        """INSERT INTO gap (device, reason, from_time, to_time, noted)
           SELECT id, %s, %s, %s, %s FROM device WHERE name = 'cell-3'""",
        [hostile or "agent-down", now - timedelta(hours=9), now - timedelta(hours=8), now],
    )
    connection.execute(
        """INSERT INTO quarantine (device, topic, reason, detail, payload, sha256, bytes, received)
           SELECT id, 'andon/v1/cell-3/batch', 'ColumnMismatch', %s, 'x', 'y', 1, %s
             FROM device WHERE name = 'cell-3'""",
        [hostile or "expected 400 values in column 2, got 399", now],
    )
    connection.execute(
        """INSERT INTO incident (kind, device, detail, opened)
           SELECT 'device-silent', id, %s, %s FROM device WHERE name = 'cell-3'""",
        [hostile or "nothing was heard of it for 15 minutes", now - timedelta(minutes=4)],
    )


def _rollout(hub: Hub, now: datetime, hostile: str) -> str:
    plan = Plan(
        release=f"{USE_CASE}/2", use_case=USE_CASE, waves=tuple(map(Wave.parse, ("1", "100%"))), tolerated=0.1
    )
    rollout = hub.rollouts.start(plan, actor="mira")
    reason = hostile or "share of answers out of range 0.31, allowed 0.05"
    with hub.database.transaction() as connection:
        connection.execute("UPDATE rollout SET wave = 1, reason = %s", [f"wave 1: 1 failed; {reason}"])
        connection.execute(
            """UPDATE rollout_device SET state = 'rolled-back', sequence = 7, previous = %s, reason = %s
                WHERE wave = 1""",
            [f"{USE_CASE}/1", reason],
        )
        connection.execute(
            """INSERT INTO report (device, use_case, directive_sequence, state, event, reason, release, rollout,
                                   correlation, evidence, time, received)
               SELECT device, %s, 7, 'rolled-back', 'probation-failed', %s, %s, %s, 'trace-2', %s, %s, %s
                 FROM rollout_device WHERE wave = 1""",
            [
                *(USE_CASE, reason, f"{USE_CASE}/2", rollout),
                *(
                    Jsonb({"bad_share": 0.31, "allowed": 0.05, "note": hostile}),
                    now - timedelta(hours=1),
                    now,
                ),
            ],
        )
    return rollout


def _manifest(version: int) -> str:
    return (
        Manifest(
            use_case=USE_CASE,
            version=version,
            release=f"{USE_CASE}/{version}",
            machine_class="motor-pump",
            feature_set="vibration-trend/1",
            inputs=(Input(name="pressure", unit="bar"),),
            outputs=(
                Output(name="remaining_life", unit="h", low=0, high=260),
                Output(name="anomaly", unit="1", low=0, high=40),
            ),
            rtol=1e-3,
            atol=1e-2,
            interval=IntervalTable(coverage=0.9, edges=(0.0,), lower=(14.0,), upper=(18.0,)),
            alarms=(
                AlarmRule(
                    output="remaining_life", direction="below", threshold=72.0, clear=120.0, persistence=3
                ),
            ),
        )
        .to_json()
        .decode()
    )


def _gate(*, passed: bool) -> str:
    check = {
        "name": "error against age",
        "passed": passed,
        "found": "RMSE 31.2 h",
        "bar": "<= 58.1 h (0.9 x 64.5)",
    }
    figure = {"name": "RMSE", "value": 31.2 if passed else 71.0, "unit": "h"}
    evidence = {
        "figure": figure,
        "unit": "h",
        "rmse": figure["value"],
        "coverage": 0.91,
        "baselines": {"age": 64.5},
    }
    reason = (
        "RMSE 31.2 h against 64.5 h by age alone"
        if passed
        else "error against age: RMSE 71 h, asked <= 58.1 h"
    )
    return json.dumps({"passed": passed, "reason": reason, "checks": [check], "evidence": evidence})


def _dataset() -> str:
    return json.dumps({"rows_by_machine": {"pump-1": 4032}, "failures": 26})


def _id(connection: Connection, query: str, values: list[object]) -> int:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return int(row["id"])
