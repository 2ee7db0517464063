"""What pages read: charts that keep every extreme, labels kept once, quarantine explained."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.store import charts, fleet, quarantine, quarantine_cli
from cloud_hub.store.database import Database
from cloud_hub.store.labels import NewLabel, insert
from cloud_hub.store.reasons import Reason, explain

NOW = datetime.now(UTC)


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=2) as opened:
        values = {"now": NOW}
        opened.execute("INSERT INTO site (name) VALUES ('north')")
        opened.execute(
            "INSERT INTO device (name, site, profile, added) SELECT 'press-01', id, 'generic', %(now)s FROM site",
            values,
        )
        opened.execute(
            "INSERT INTO machine (name, device, machine_class, added) SELECT 'pump-1', id, 'pump', %(now)s FROM device",
            values,
        )
        opened.execute(
            "INSERT INTO signal (machine, name, unit, kind) SELECT id, 'temperature', 'Cel', 'scalar' FROM machine"
        )
        yield opened


def fill(store: Database, values: np.ndarray, step: timedelta) -> datetime:
    start = NOW - step * len(values)
    with store.transaction() as connection, connection.cursor() as cursor:
        signal = cursor.execute("SELECT id FROM signal").fetchone()["id"]
        with cursor.copy("COPY sample (time, signal, value) FROM STDIN") as copy:
            for index, value in enumerate(values.tolist()):
                copy.write_row((start + index * step, signal, value))
        cursor.execute(
            "INSERT INTO touched (signal, hour) SELECT DISTINCT signal, date_trunc('hour', time) FROM sample"
        )
    return start


def test_a_short_span_is_shown_as_it_is(store: Database) -> None:
    values = np.sin(np.arange(500))
    start = fill(store, values, timedelta(seconds=1))
    chart = charts.series(store, "pump-1", "temperature", start, NOW)
    assert chart.low == chart.high == tuple(values.tolist())


def test_a_long_span_keeps_every_spike(store: Database) -> None:
    values = np.sin(np.arange(20_000) / 500)
    values[7_777], values[13_131] = 99.0, -99.0
    start = fill(store, values, timedelta(seconds=10))
    chart = charts.series(store, "pump-1", "temperature", start, NOW)
    assert len(chart.times) * 2 <= charts.MOST_POINTS + 2
    assert max(chart.high) == 99.0
    assert min(chart.low) == -99.0
    buckets = np.array_split(values, len(chart.times))
    assert np.isclose(chart.low[0], buckets[0].min(), atol=0.05)
    assert list(chart.times) == sorted(chart.times)


def test_an_unknown_signal_is_named(store: Database) -> None:
    with pytest.raises(NotFoundError, match="pump-1/nope"):
        charts.series(store, "pump-1", "nope", NOW, NOW)


def test_a_label_is_kept_once(store: Database) -> None:
    label = NewLabel(machine="pump-1", kind="failure", time=NOW)
    assert insert(store, [label], source="a.jsonl", added=NOW) == 1
    assert (
        insert(
            store, [label, NewLabel(machine="pump-1", kind="maintenance", time=NOW)], source="b", added=NOW
        )
        == 1
    )
    assert [(each.kind, each.source) for each in fleet.labels(store, "pump-1")] == [
        ("failure", "a.jsonl"),
        ("maintenance", "b"),
    ]


def test_a_label_of_an_unknown_machine_refuses_the_whole_file(store: Database) -> None:
    labels = [
        NewLabel(machine="pump-1", kind="failure", time=NOW),
        NewLabel(machine="pmp-1", kind="failure", time=NOW),
    ]
    with pytest.raises(NotFoundError, match="pmp-1"):
        insert(store, labels, source="a", added=NOW)
    assert fleet.labels(store, "pump-1") == []


OUTPUTS = ("remaining_life", "anomaly", "fault_ball", "fault_outer_race")


def release(store: Database, name: str, outputs: tuple[str, ...], *, bounded: bool) -> None:
    """A model as far as reading its predictions goes."""
    use_case, _, version = name.partition("/")
    manifest = {"outputs": [{"name": output} for output in outputs], "interval": {} if bounded else None}
    values = {
        "release": name,
        "use_case": use_case,
        "version": int(version),
        "now": NOW,
        "run": f"{use_case}-run",
    }
    store.execute(
        "INSERT INTO run (id, use_case, state, correlation, created) VALUES (%(run)s, %(use_case)s, 'done', '', %(now)s)"
        " ON CONFLICT DO NOTHING",
        values,
    )
    store.execute(
        "INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, created)"
        " VALUES (%(use_case)s, %(version)s, %(release)s, %(run)s, 'released', '', '', %(manifest)s, '{}', %(now)s)",
        {**values, "manifest": json.dumps(manifest)},
    )


@pytest.mark.parametrize(
    ("outputs", "bounded", "row", "told"),
    [
        (OUTPUTS, True, [40.0, 30.0, 55.0, 1.5, 0.25, 0.5], (40.0, 30.0, 55.0, 1.5, ("outer race", 0.5))),
        (OUTPUTS, False, [40.0, 1.5, 0.25, 0.25], (40.0, None, None, 1.5, None)),
        (("anomaly",), False, [0.5], (None, None, None, 0.5, None)),
        (("fault_ball", "anomaly"), False, [0.75, 2.0], (None, None, None, 2.0, ("ball", 0.75))),
    ],
)
def test_figures_of_a_prediction_are_read_by_the_manifest_of_their_release(
    store: Database, outputs: tuple[str, ...], bounded: bool, row: list[float], told: tuple[object, ...]
) -> None:
    release(store, "health/3", outputs, bounded=bounded)
    store.execute(
        "INSERT INTO latest_prediction SELECT id, 'health', 'health/3', %(now)s, %(row)s::real[] FROM machine",
        {"now": NOW, "row": row},
    )
    store.execute(
        "INSERT INTO prediction SELECT %(now)s, id, device, 1, 1, 'health/3', %(row)s::real[] FROM machine",
        {"now": NOW, "row": row},
    )
    (outlook,) = fleet.outlooks(store, "pump-1")
    assert outlook == fleet.machine(store, "pump-1").outlook
    assert (outlook.remaining_life, outlook.lower, outlook.upper, outlook.anomaly, outlook.likeliest) == told
    chart = charts.predictions(store, "pump-1", "health", NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    assert (*chart.remaining_life, *chart.lower, *chart.upper, *chart.anomaly) == told[:4]


def test_machines_come_by_risk(store: Database) -> None:
    release(store, "motor-health/1", OUTPUTS[:2], bounded=True)
    for name, lower in (("pump-2", 5.0), ("pump-3", 50.0)):
        store.execute(
            "INSERT INTO machine (name, device, machine_class, added) SELECT %(name)s, id, 'pump', %(now)s FROM device",
            {"name": name, "now": NOW},
        )
        store.execute(
            "INSERT INTO latest_prediction SELECT id, 'motor-health', 'motor-health/1', %(now)s, %(values)s::real[]"
            " FROM machine WHERE name = %(name)s",
            {"name": name, "now": NOW, "values": [lower + 10, lower, lower + 20, 0.5]},
        )
    assert [machine.name for machine in fleet.machines(store)] == ["pump-2", "pump-3", "pump-1"]
    assert fleet.machine(store, "pump-1").outlook is None
    with pytest.raises(NotFoundError, match="pump-9"):
        fleet.machine(store, "pump-9")


def test_every_reason_is_explained() -> None:
    for reason in Reason:
        assert explain(reason) != f"Refused as {reason}."
    assert explain("Novelty") == "Refused as Novelty."


def test_what_was_stored_cannot_be_replayed(store: Database) -> None:
    store.execute(
        "INSERT INTO quarantine (topic, reason, detail, payload, sha256, bytes, received, settled)"
        " VALUES ('andon/v1/x/batch', 'NotABatch', 'd', 'x', 'h', 1, %(now)s, %(now)s)",
        {"now": NOW},
    )
    number = store.row("SELECT id FROM quarantine")["id"]
    assert quarantine.quarantined(store) == []
    assert quarantine.quarantined(store, every=True)[0].explanation.startswith("The bytes are no batch")
    with pytest.raises(ConflictError, match="nothing to replay"):
        quarantine.ask_replay(store, number, now=NOW)
    with pytest.raises(NotFoundError):
        quarantine.show(store, number + 1)


def test_quarantine_is_listed_and_explained_on_the_command_line(
    store: Database, database: str, state_root: Path
) -> None:
    store.execute(
        "INSERT INTO quarantine (device, topic, epoch, sequence, reason, detail, payload, sha256, bytes, received)"
        " SELECT id, 'andon/v1/press-01/batch', -1, 7, 'NotFinite', 'signal 1', 'x', 'h', 1, %(now)s FROM device",
        {"now": NOW},
    )
    config = state_root / "hub.toml"
    config.write_text(f'database_url = "{database}"\n')
    ask = ["--config", str(config), "--json"]
    (listed,) = json.loads(CliRunner().invoke(quarantine_cli.quarantine, ask).output)
    assert (listed["device"], listed["reason"], listed["epoch"]) == ("press-01", "NotFinite", 2**64 - 1)
    shown = json.loads(
        CliRunner().invoke(quarantine_cli.quarantine, ["show", str(listed["id"]), *ask]).output
    )
    assert (shown["explanation"], shown["contents"]) == (explain("NotFinite"), None)
    nothing = CliRunner().invoke(quarantine_cli.quarantine, ["list", "--device", "press-02", *ask])
    assert json.loads(nothing.output) == []
