"""The Grafana dashboard: each of its queries runs on a real plant, as a role that may read nothing else."""

import importlib.util
import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from cloud_hub.config import HubConfig
from cloud_hub.console.app import create_app
from cloud_hub.console.plant import risk
from cloud_hub.console.plant.ranking import meanings
from cloud_hub.hub import Hub, assemble
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.passwords import Passwords
from cloud_hub.ingest.group import Outcome
from cloud_hub.ingest.metrics import Metrics
from cloud_hub.store import fleet, rollups
from tests.console.console_people import Browser
from tests.console.console_seed import seed
from tests.grafana.grafana_queries import Asked, expanded

FOLDER = Path(__file__).parent.parent.parent / "docs" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "andon.json").read_text())
QUERIES = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.glob("*/*.sql"))
COLUMNS = {
    "panels/alarms": "machine site message opened closed release",
    "panels/alarms_opened": "time alarms",
    "panels/backlog": "device|site|not settled",
    "panels/devices_by_state": "state devices",
    "panels/devices_offline": "device|site|profile|since|last batch|machines",
    "panels/ingest_lag": "device|site|state|since a batch|behind|clock off",
    "panels/ingest_rate": "time|samples a second",
    "panels/machines_by_state": "state machines",
    "panels/plant_risk": "machine|site|state|remaining life|at least|at most|anomaly|release|predicted",
    "panels/quarantine": "reason|messages|times it came|bytes|devices|newest",
    "panels/remaining_life": "time|remaining life|at least|at most",
    "panels/rollouts": "rollout|state|release|wave|devices|committed|failed|reason|changed",
    "panels/signal": "time|lowest|mean|highest",
    "annotations/alarms": "time timeend text tags",
    "annotations/gaps": "time timeend text tags",
    "variables/machine": "name",
    "variables/signal": "name",
    "variables/site": "name",
}

Reader = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def seeded(
    database_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a database with a plant in it, which ``hub`` copies."""
    name = f"test_grafana_{uuid.uuid4().hex[:12]}"
    of = database_url.replace
    with psycopg.connect(of("@/andon?", "@/postgres?"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        _fill(
            HubConfig(state_dir=tmp_path_factory.mktemp("grafana"), database_url=of("@/andon?", f"@/{name}?"))
        )
        yield name
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def hub(database_url: str, seeded: str, tmp_path: Path) -> Iterator[Hub]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    of = database_url.replace
    with psycopg.connect(of("@/andon?", "@/postgres?"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {seeded}")
        config = HubConfig(state_dir=tmp_path, database_url=of("@/andon?", f"@/{name}?"))
        with config.database() as opened:
            yield assemble(config, opened, config.time())
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _fill(config: HubConfig) -> None:
    with config.database() as opened:
        made = assemble(config, opened, config.time())
        seed(made)
        with opened.transaction() as connection:
            for table in ("rollup_minute", "rollup_hour"):
                connection.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
        with opened.connect() as connection:
            rollups.turn(connection, config.store, made.clock)


@pytest.fixture
def reader(hub: Hub) -> Iterator[Reader]:
    """A session of Grafana's role, made by the very file that the documents give."""
    hub.database.execute((FOLDER / "role.sql").read_text())
    conninfo = make_conninfo(hub.database.conninfo, user="andon_grafana")
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text()


def ask(reader: Reader, name: str, asked: Asked) -> list[dict[str, Any]]:
    """The rows of a query, in the order of its columns."""
    cursor = reader.execute(expanded(text_of(name), asked))
    told = COLUMNS[name]
    assert [column.name for column in cursor.description or ()] == told.split("|" if "|" in told else None)
    return cursor.fetchall()


def panels() -> list[dict[str, Any]]:
    return [each for each in DASHBOARD["panels"] if each["type"] != "row"]


def test_the_dashboard_is_what_its_sql_files_say() -> None:
    spec = importlib.util.spec_from_file_location("compose", FOLDER / "compose.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.compose() == DASHBOARD, "run: python docs/grafana/compose.py"
    told = [target["rawSql"] for panel in panels() for target in panel["targets"] if "rawSql" in target]
    told += [each["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    told += [each["target"]["rawSql"] for each in DASHBOARD["annotations"]["list"] if "target" in each]
    assert sorted(told) == sorted(text_of(name).rstrip("\n") for name in QUERIES)
    assert sorted(QUERIES) == sorted(COLUMNS)


def test_the_dashboard_names_no_data_source_of_its_own_and_lies_in_a_grid() -> None:
    kinds = {
        each["name"]: each["query"]
        for each in DASHBOARD["templating"]["list"]
        if each["type"] == "datasource"
    }
    assert kinds == {"postgres": "grafana-postgresql-datasource", "prometheus": "prometheus"}
    uids = set(re.findall(r'"uid": "([^"]+)"', json.dumps(DASHBOARD)))
    assert uids == {"${postgres}", "${prometheus}", "-- Grafana --"}
    assert len({each["id"] for each in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for each in DASHBOARD["panels"]:
        at = each["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, each["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_query_runs_as_the_role_for_short_and_long_spans(hub: Hub, reader: Reader) -> None:
    now = hub.clock.now()
    for name in QUERIES:
        for span, interval in ((3, "10s"), (24, "1m"), (24 * 10, "10m"), (24 * 90, "1h")):
            asked = Asked(end=now, span=timedelta(hours=span), interval=interval, site=("lyon", "tours"))
            found = ask(reader, name, asked)
            assert found or span == 3 or name in {"annotations/gaps"}, (name, span)


def test_hostile_names_are_texts_to_every_query(hub: Hub, reader: Reader) -> None:
    hostile = "x'; SELECT pg_sleep(1); --\\"
    asked = Asked(end=hub.clock.now(), site=(hostile,), machine=hostile, signal=hostile)
    for name in QUERIES:
        ask(reader, name, asked)
    assert ask(reader, "panels/signal", asked) == ask(reader, "panels/plant_risk", asked) == []


def test_the_plant_is_ranked_as_the_console_ranks_it(hub: Hub, reader: Reader) -> None:
    asked = Asked(end=hub.clock.now())
    told = [(row["machine"], row["state"]) for row in ask(reader, "panels/plant_risk", asked)]
    ranked = risk.ranked(fleet.machines(hub.database), meanings(hub.database), hub.clock.now())
    assert told == [(each.machine.name, each.state) for each in ranked]
    assert len({state for _, state in told}) >= 3  # or nothing is shown by the order
    counts = {row["state"]: row["machines"] for row in ask(reader, "panels/machines_by_state", asked)}
    assert counts == {state: [each for _, each in told].count(state) for state in risk.STATES}
    first, *_ = ask(reader, "panels/plant_risk", asked)
    assert (first["at least"], first["remaining life"]) < (first["remaining life"], first["at most"])


def test_a_machine_that_is_chosen_first_is_the_one_that_needs_somebody(hub: Hub, reader: Reader) -> None:
    asked = Asked(end=hub.clock.now())
    assert [row["name"] for row in ask(reader, "variables/machine", asked)][:2] == ["pump-1", "pump-3"]
    assert [row["name"] for row in ask(reader, "variables/signal", asked)] == [
        "current",
        "flow",
        "pressure",
        "speed",
        "temperature",
    ]


@pytest.mark.parametrize("hours", [5, 24, 24 * 13])
def test_a_signal_is_read_from_what_fits_the_span_and_stops_in_a_hole(
    hub: Hub, reader: Reader, hours: int
) -> None:
    now = hub.clock.now().replace(minute=0, second=0, microsecond=0)
    hole = {"start": now - timedelta(hours=hours * 0.6), "end": now - timedelta(hours=hours * 0.2)}
    signal = "(SELECT signal.id FROM signal JOIN machine ON machine.id = machine WHERE machine.name = 'pump-1' AND signal.name = 'flow')"
    for table in ("sample", "rollup_minute", "rollup_hour"):
        hub.database.execute(f"DELETE FROM {table} WHERE signal = {signal}")
    fill = f"""
        INSERT INTO sample SELECT time, {signal}, 5 FROM generate_series(%(from)s::timestamptz, %(now)s, '10 min') AS time
         WHERE time NOT BETWEEN %(start)s AND %(end)s"""
    hub.database.execute(fill, hole | {"from": now - timedelta(hours=hours), "now": now})
    hub.database.execute(
        f"INSERT INTO touched SELECT {signal}, date_trunc('hour', time) FROM sample WHERE signal = {signal}"
    )
    with hub.database.connect() as connection:
        rollups.turn(connection, hub.config.store, hub.clock)
    asked = Asked(end=now, span=timedelta(hours=hours), interval="10m")
    found = ask(reader, "panels/signal", asked)
    missing = [row["time"] for row in found if row["mean"] is None]
    assert len(missing) == 1
    assert hole["start"] <= missing[0] <= hole["end"] + timedelta(minutes=10)
    assert {(row["lowest"], row["mean"], row["highest"]) for row in found} == {(5, 5, 5), (None, None, None)}
    times = [row["time"] for row in found]
    assert times == sorted(times)


def test_only_the_table_that_fits_the_span_is_read(hub: Hub, reader: Reader) -> None:
    read = {}
    for hours in (6, 7, 24 * 14, 24 * 15):
        asked = Asked(end=hub.clock.now(), span=timedelta(hours=hours), interval="10m")
        plan = reader.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + expanded(text_of("panels/signal"), asked))
        read[hours] = scanned((plan.fetchone() or {})["QUERY PLAN"])
    assert {hours: sorted(tables) for hours, tables in read.items()} == {
        6: ["sample"],
        7: ["rollup_minute"],
        24 * 14: ["rollup_minute"],
        24 * 15: ["rollup_hour"],
    }


def scanned(plan: Any) -> set[str]:
    """Of the big tables, those that were read."""
    if isinstance(plan, list):
        return {name for each in plan for name in scanned(each)}
    if not isinstance(plan, dict) or plan.get("Actual Loops") == 0:
        return set()
    names = re.findall("^(sample|rollup_minute|rollup_hour)", plan.get("Relation Name", ""))
    return set(names).union(*(scanned(each) for each in plan.values()))


def test_what_is_missing_and_what_was_alarmed_is_marked_with_its_span(hub: Hub, reader: Reader) -> None:
    now = hub.clock.now()
    gap, *none = ask(reader, "annotations/gaps", Asked(end=now, machine="pump-5"))
    assert none == []
    assert gap["text"] == "agent-down"
    assert now - timedelta(hours=9, minutes=1) < gap["time"] < gap["timeend"] < now - timedelta(hours=7)
    alarm, *none = ask(reader, "annotations/alarms", Asked(end=now, span=timedelta(hours=2)))
    assert none == []
    assert alarm["time"] < now - timedelta(hours=6) < alarm["timeend"]
    assert ask(reader, "annotations/gaps", Asked(end=now - timedelta(days=3), machine="pump-5")) == []


def test_devices_and_what_they_owe_are_told(hub: Hub, reader: Reader) -> None:
    asked = Asked(end=hub.clock.now())
    offline = ask(reader, "panels/devices_offline", asked)
    assert [(row["device"], row["machines"]) for row in offline] == [("cell-3", 1)]
    states = {row["state"]: row["devices"] for row in ask(reader, "panels/devices_by_state", asked)}
    assert states == {"offline": 1, "online": 2}
    assert {row["not settled"] for row in ask(reader, "panels/backlog", asked)} == {9}
    (waits,) = ask(reader, "panels/quarantine", asked)
    assert (waits["reason"], waits["messages"], waits["bytes"]) == ("ColumnMismatch", 1, 1)
    (rollout,) = ask(reader, "panels/rollouts", asked)
    assert (rollout["devices"], rollout["committed"], rollout["failed"]) == (3, 0.0, 1)
    hub.database.execute("UPDATE rollout_device SET state = 'committed' WHERE wave = 2")
    assert ask(reader, "panels/rollouts", asked)[0]["committed"] == 66.7
    assert all(row["samples a second"] > 0 for row in ask(reader, "panels/ingest_rate", asked))
    hub.database.execute("UPDATE device SET last_batch = last_batch - interval '1 h' WHERE name = 'cell-2'")
    first, *_ = ask(reader, "panels/ingest_lag", asked)
    assert first["device"] == "cell-2"
    last = hub.database.row("SELECT last_batch AS time FROM device WHERE name = 'cell-2'") or {}
    assert first["since a batch"] == pytest.approx((asked.end - last["time"]).total_seconds())


def test_the_role_reads_what_the_panels_read_and_nothing_else(hub: Hub, reader: Reader) -> None:
    tables = hub.database.rows(
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"
        " AND NOT relispartition"
    )
    grants = re.sub(r"--[^\n]*", "", (FOLDER / "role.sql").read_text())
    granted = set(re.findall(r"\w+", " ".join(re.findall(r"GRANT SELECT.*?;", grants, re.DOTALL))))
    refused = {row["name"] for row in tables} - granted
    secret = {"person", "person_session", "person_link", "api_token", "enrol_token", "audit", "certificate"}
    assert secret | {"procrastinate_jobs", "directive", "job_attempt", "capability"} <= refused
    for table in refused:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"SELECT FROM {table} LIMIT 1")
    for column in (
        "key_fingerprint FROM device",
        "payload FROM quarantine",
        "detail FROM quarantine",
        "* FROM device",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"SELECT {column}")


def test_every_grant_is_one_that_some_panel_needs(hub: Hub, reader: Reader) -> None:
    """Take one away after the other: each time some query has to be refused."""
    asked = Asked(end=hub.clock.now())
    unread = []
    with hub.database.connect(autocommit=False) as owner:
        for taken in held(owner):
            owner.execute(f"REVOKE SELECT {taken} FROM andon_grafana")
            owner.execute("SET LOCAL ROLE andon_grafana")
            if not any(is_refused(owner, name, asked) for name in QUERIES):
                unread.append(taken)
            owner.rollback()
    assert unread == []


def held(owner: Any) -> list[str]:
    """What the role may read: tables, and columns of tables that it may not read whole."""
    whole = owner.execute(
        "SELECT table_name AS name FROM information_schema.role_table_grants WHERE grantee = 'andon_grafana'"
    ).fetchall()
    columns = owner.execute(
        "SELECT table_name AS name, column_name FROM information_schema.role_column_grants"
        " WHERE grantee = 'andon_grafana'"
    ).fetchall()
    tables = {row["name"] for row in whole}
    parts = [f"({row['column_name']}) ON {row['name']}" for row in columns if row["name"] not in tables]
    assert len(tables) > 5
    assert len(parts) > 20
    return [*(f"ON {name}" for name in sorted(tables)), *parts]


def is_refused(owner: Any, name: str, asked: Asked) -> bool:
    try:
        with owner.transaction():
            owner.execute("EXPLAIN " + expanded(text_of(name), asked))
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def test_the_role_writes_nothing_and_no_question_of_it_lasts(reader: Reader) -> None:
    assert reader.execute("SHOW statement_timeout").fetchone() == {"statement_timeout": "15s"}
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reader.execute("CREATE TEMP TABLE mine (n integer)")
    reader.execute(
        "SET default_transaction_read_only = off"
    )  # whoever takes that off may write nothing all the same
    for statement in (
        "UPDATE device SET online = true",
        "DELETE FROM sample",
        "INSERT INTO site (name) VALUES ('mine')",
        "CREATE TABLE mine (n integer)",
        "CREATE TEMP TABLE mine (n integer)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT voice('mira')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement)


def test_the_role_may_be_made_again(hub: Hub, reader: Reader) -> None:
    hub.database.execute((FOLDER / "role.sql").read_text())
    assert ask(reader, "variables/site", Asked(end=hub.clock.now())) == [{"name": "lyon"}]


def test_every_metric_that_the_dashboard_names_is_one_of_the_hub(hub: Hub) -> None:
    office = Office.of(
        hub.database, hub.config.web, record=hub.record, passwords=Passwords(memory_kib=8, passes=1)
    )
    browser = Browser.of(create_app(hub, office), office, "mira", "admin")
    told = browser.client.get("/metrics").text + of_ingest()
    known = set(re.findall(r"^(andon_\w+)", told, re.MULTILINE))
    named = {
        name
        for panel in panels()
        for target in panel["targets"]
        for name in re.findall(r"andon_\w+", target.get("expr", ""))
    }
    assert len(named) > 10
    assert named <= known, named - known


def of_ingest() -> str:
    from prometheus_client import generate_latest

    metrics = Metrics()
    metrics.watch(lambda: 0, lambda: 0)
    outcome = Outcome(told={}, samples=1, rejected=Counter({("cell-1", "NotFinite"): 1}))
    metrics.note(outcome, batches=1, seconds=0.01)
    return generate_latest(metrics.registry).decode()


def test_a_week_ago_is_told_as_of_then(hub: Hub, reader: Reader) -> None:
    then: datetime = hub.clock.now() - timedelta(days=7)
    told = ask(reader, "panels/remaining_life", Asked(end=then, span=timedelta(days=2), interval="1h"))
    assert told[-1]["time"] <= then
    assert 40 <= len(told) <= 50
