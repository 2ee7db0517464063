"""A use case with a past: versions of several datasets, judged on the same machines, in every state."""

import json
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

from psycopg.types.json import Jsonb

from cloud_hub.governance import audit
from cloud_hub.hub import Hub
from cloud_hub.store.database import Connection
from tests.console.console_seed import USE_CASE

MACHINES = tuple(f"pump-{number}" for number in range(1, 6))
ENGINE = f"engines/linux-x86_64/{USE_CASE}/2.fp32.engine"


def declare(hub: Hub, approval: str) -> None:
    """Have the hub's own declaration of the use case ask for people as ``approval`` says."""
    text = (resources.files("models") / "use_cases" / f"{USE_CASE}.toml").read_text()
    text = text.replace('admitted = "canary"', 'admitted = "wait"')
    hub.config.use_cases.mkdir(exist_ok=True)
    (hub.config.use_cases / f"{USE_CASE}.toml").write_text(f"{text}\n[approval]\n{approval}\n")


def grow(hub: Hub) -> None:
    """After ``seed``: a second dataset, versions 4 to 6 of it, verdicts, an engine and what triggers found."""
    now = hub.clock.now()
    with hub.database.transaction() as connection:
        connection.execute(
            "INSERT INTO dataset VALUES (%s, %s, %s, 'datasets/b', 31000, 14, 31, 'vibration-trend/1', %s, %s)",
            ["motor-health-b20000000000", USE_CASE, "b2" * 32, _dataset(), now - timedelta(days=1)],
        )
        _evidence(connection, 1, (30.0, 34.0, 33.0, 29.0, 31.0))
        _evidence(connection, 2, (15.0, 16.0, 17.0, 14.0, 18.0))
        for version, errors in ((4, (15.2, 15.9, 17.1, 14.0, 17.9)), (5, (12.0, 19.0, 13.0, 18.0, 15.0))):
            _version(connection, version, now)
            _evidence(connection, version, errors)
        connection.execute("UPDATE alias SET version = 2 WHERE name = 'champion'")
        connection.execute("UPDATE alias SET version = 5 WHERE name = 'candidate'")
        _said(connection, now)
    for actor, run in (("mira", "motor-health-r5"), ("ada", "motor-health-r4b")):
        note(hub, actor=actor, action="retrain.request", subject=run)
    note(hub, actor="ada", action="engine.publish", subject=ENGINE)


def note(hub: Hub, **act: Any) -> None:
    with hub.database.transaction() as connection:
        audit.append(connection, hub.clock, **act)


def _version(connection: Connection, version: int, now: datetime) -> None:
    run = f"{USE_CASE}-r4b" if version == 4 else f"{USE_CASE}-r{version}"
    connection.execute(
        """INSERT INTO run (id, use_case, dataset, state, progress, code, settings, metrics, correlation, created, finished)
           VALUES (%s, %s, 'motor-health-b20000000000', 'done', 1, 'andon 0.2.0', %s, %s, %s, %s, %s)""",
        [
            *(run, USE_CASE, Jsonb({}), Jsonb({"folds": version, "learnt_rows": 20000})),
            *(f"trace-{version}", now - timedelta(hours=9 - version), now),
        ],
    )
    connection.execute(
        """INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, created)
           SELECT use_case, %(version)s, %(release)s, %(run)s, 'candidate', 'x.onnx', onnx_sha256,
                  manifest || %(own)s, gate, %(now)s FROM model WHERE version = 2""",
        {"version": version, "release": f"{USE_CASE}/{version}", "run": run, "now": now}
        | {"own": Jsonb({"version": version, "release": f"{USE_CASE}/{version}", "inputs": _inputs()})},
    )


def _evidence(connection: Connection, version: int, errors: tuple[float, ...]) -> None:
    losses = [error**2 for error in errors]
    rmse = (sum(losses) / len(losses)) ** 0.5
    slices = [
        {"name": f"site {site}", "machines": len(names), "figure": rmse}
        | {"losses": {name: losses[MACHINES.index(name)] for name in names}}
        for site, names in (("lyon", MACHINES[:4]), ("tours", MACHINES[4:]))
    ]
    evidence = {
        "figure": {"name": "RMSE", "value": rmse, "unit": "h"},
        "unit": "h",
        "rmse": rmse,
        "squared": True,
        "least": 0.0,
        "machines": list(MACHINES),
        "losses": losses,
        "slices": slices,
        "coverage": 0.9 + version / 100,
        "latency_ms": 0.2 * version,
        "bytes": 80_000 + version,
        "baselines": {"age": 64.5, "mean": 71.0},
        "paired": [{"rival": "age"}, {"rival": f"{USE_CASE}/1"}],
        "oracle": {"said": "trees do no better on these features"},
    }
    reason = f"RMSE {rmse:.3g} h on 5 held-out machines, against 64.5 by age"
    told = Jsonb({"evidence": evidence, "reason": reason})
    connection.execute("UPDATE model SET gate = gate || %s WHERE version = %s", [told, version])
    metrics = {"by_machine": dict(zip(MACHINES, errors, strict=True))}
    connection.execute(
        "UPDATE run SET metrics = metrics || %s WHERE id = (SELECT run FROM model WHERE version = %s)",
        [Jsonb(metrics), version],
    )


def _said(connection: Connection, now: datetime) -> None:
    """A verdict on the alarm that ``seed`` opened, another alarm nobody judged, and a look at triggers."""
    connection.execute(
        """INSERT INTO label (machine, time, kind, detail, source, added)
           SELECT machine, %(now)s, 'verdict', jsonb_build_object('verdict', 'right', 'alarm',
                  to_char(opened AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), 'use_case', use_case),
                  'mira', %(now)s FROM alarm""",
        {"now": now},
    )
    connection.execute(
        """INSERT INTO alarm (machine, use_case, release, opened, severity, message)
           SELECT id, %s, %s, %s, 1, 'anomaly above 1' FROM machine WHERE name IN ('pump-2', 'pump-5')""",
        [USE_CASE, f"{USE_CASE}/2", now - timedelta(hours=3)],
    )
    connection.execute(
        """INSERT INTO trigger_check (use_case, checked, release, reasons, drift_since, held, figures)
           VALUES (%s, %s, %s, %s, %s, 'rollout motor-health-2.1 is under way', '{}')""",
        [USE_CASE, now - timedelta(minutes=20), f"{USE_CASE}/2", ["3 new failures"], now - timedelta(days=1)],
    )


def _inputs() -> list[dict[str, str]]:
    return [{"name": "pressure", "unit": "bar"}, {"name": "flow.fall", "unit": "L/min"}]


def _dataset() -> str:
    rows = {f"pump-{number}": 5000 + number for number in range(1, 8)}
    told = {"rows_by_machine": rows, "span": ["2026-01-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"]}
    return json.dumps(told | {"feature_set_version": "fe" * 32})
