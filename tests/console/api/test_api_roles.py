"""Who may do what by token: the table of permissions, operation by operation, and site by site."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from psycopg.types.json import Jsonb

from cloud_hub.console.api.document import document
from cloud_hub.hub import Hub
from cloud_hub.identity.people.permissions import MAY, Permission, Role
from cloud_hub.rollout.plan import Plan, Selector, Wave
from tests.console.console_people import Browser
from tests.console.console_programs import Program

Programs = Callable[..., Program]

NAMES = {
    "alarm": "1",
    "at": "1764000000000000",
    "correlation": "trace-2",
    "digest": "motor-health-3f9a0c11d2e4",
    "number": "1",
    "run": "motor-health-r4",
    "use_case": "motor-health",
    "version": "2",
}
THINGS = {"machines": "pump-1", "devices": "cell-1", "rollouts": "motor-health-2.1", "quarantine": "1"}
HERE, ELSEWHERE = {"machines": "pump-1", "devices": "cell-1"}, {"machines": "pump-5", "devices": "cell-3"}

KEPT = (
    ("model", "release", "gate"),
    ("dataset", "id", "manifest"),
    ("rollout", "id", "plan"),
    ("run", "id", "error"),
)
TROUBLES = (
    """INSERT INTO alarm (machine, use_case, release, opened, severity, message)
       SELECT id, 'motor-health', 'motor-health/2', now() - interval '1 hour', 1, 'too hot' FROM machine
        WHERE name = 'pump-5'""",
    """INSERT INTO gap (device, machine, reason, from_time, to_time, noted)
       SELECT device, id, 'agent-down', now() - interval '2 hours', now() - interval '1 hour', now()
         FROM machine WHERE name = 'pump-5'""",
    """UPDATE model SET gate = jsonb_set(gate, '{evidence,machines}', '["pump-1", "pump-5"]')""",
    """UPDATE dataset SET manifest = jsonb_set(manifest, '{rows_by_machine}', '{"pump-1": 5, "pump-5": 7}')""",
    """UPDATE model SET gate = gate || '{"reason": "worse at site tours", "checks":
       [{"name": "sites", "passed": false, "found": "site tours: 9 against 7", "bar": "none"}]}'""",
    """UPDATE run SET error = 'verdicts on pump-5 deny each other'""",
    """UPDATE rollout SET plan = jsonb_set(plan, '{selector}', (plan -> 'selector')
       || '{"sites": ["lyon", "tours"], "devices": ["cell-1", "cell-3"]}')""",
    """INSERT INTO snapshot (use_case, state, error, correlation, asked_by, asked)
       VALUES ('motor-health', 'failed', 'verdicts on pump-5 deny each other', 'trace', 'mira', now())""",
)
CALM = (
    "DELETE FROM snapshot",
    "DELETE FROM alarm WHERE message = 'too hot'",
    "DELETE FROM gap WHERE machine IS NOT NULL",
)


def calls(app: Flask) -> list[tuple[str, str, Permission | None]]:
    """Each operation with its method, a path that is there, and the permission that the document names."""
    return [
        (method, _filled(path), next(map(Permission, each["security"][0]["token"]), None))
        for path, methods in document(app)["paths"].items()
        for method, each in methods.items()
    ]


def _filled(path: str) -> str:
    thing = THINGS.get(path.split("/")[3], "")
    return re.sub(r"\{(\w+)\}", lambda found: thing if found[1] == "name" else NAMES[found[1]], path)


@pytest.mark.parametrize("role", list(Role))
def test_each_operation_is_for_the_roles_that_hold_its_permission(
    app: Flask, program: Programs, hub: Hub, role: Role
) -> None:
    """Bodies are sent that nothing can be done with, so that whoever is let in changes nothing."""
    asker = program("ada", role)
    refused: dict[str, bool] = {}
    expected: dict[str, bool] = {}
    for method, path, permission in calls(app):
        sent: dict[str, Any] = {"json": {"no-such-field": 1}} if method == "post" else {}
        answer = asker.client.open(path, method=method.upper(), headers=asker.headers, **sent)
        assert answer.status_code < 500 or answer.status_code == 503, (path, answer.text)
        refused[f"{method} {path}"] = answer.status_code == 403
        expected[f"{method} {path}"] = permission is not None and permission not in MAY[role]
    assert refused == expected


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.OPERATOR, Role.APPROVER])
def test_what_concerns_the_fleet_takes_the_role_at_every_site(
    app: Flask, program: Programs, hub: Hub, role: Role
) -> None:
    asker = program("lea", f"{role}@lyon", f"{role}@tours", scopes=[Permission.SEE])
    for path in ("/jobs", "/audit", "/audit/1", "/audit-chain"):
        assert asker.get(path).status_code == 403
    for path in ("/releases/motor-health/2/approve", "/use-cases/motor-health/train", "/quarantine-replays"):
        assert asker.post(path).status_code == 403


def test_a_thing_at_another_site_answers_as_one_that_is_not_there(
    app: Flask, program: Programs, hub: Hub
) -> None:
    lea = program("lea", "admin@lyon")
    hub.database.execute("UPDATE quarantine SET device = (SELECT id FROM device WHERE name = 'cell-3')")
    tried = 0
    for path, methods in document(app)["paths"].items():
        kind = path.split("/")[3]
        if "{name}" not in path or kind == "rollouts":
            continue
        there = {"quarantine": "1"} | ELSEWHERE
        for method in methods:
            body: dict[str, Any] = {"json": {}} if method == "post" else {}
            answers = [
                lea.client.open(
                    re.sub(
                        r"\{(\w+)\}",
                        lambda found, name=name: name if found[1] == "name" else NAMES[found[1]],
                        path,
                    ),
                    method=method.upper(),
                    headers=lea.headers,
                    **body,
                )
                for name in (there[kind], {"quarantine": "987"}.get(kind, "nope"))
            ]
            assert [each.status_code for each in answers] == [404, 404], path
            one, other = (each.json["error"] for each in answers)
            assert one.replace(there[kind], "#") == other.replace("nope", "#").replace("987", "#"), path
            tried += 1
    assert tried > 15


@pytest.fixture
def troubled(hub: Hub) -> Iterator[None]:
    """An alarm, a failure and a gap at tours, and evidence and a dataset that name the machine there."""
    names = [each.split(" ")[0] for each in TROUBLES]
    before = {
        table: hub.database.rows(f"SELECT {key}, {column} AS kept FROM {table}")
        for table, key, column in KEPT
    }
    for name, statement in zip(names, TROUBLES, strict=True):
        assert hub.database.execute(statement) >= 1, name
    yield
    for statement in CALM:
        hub.database.execute(statement)
    for table, key, column in KEPT:
        for row in before[table]:
            was = row["kept"]
            values = {"key": row[key], "kept": was if isinstance(was, str) else Jsonb(was)}
            hub.database.execute(f"UPDATE {table} SET {column} = %(kept)s WHERE {key} = %(key)s", values)


@pytest.mark.usefixtures("troubled")
def test_no_list_or_detail_names_what_stands_at_another_site(
    app: Flask, program: Programs, hub: Hub, rollout: str
) -> None:
    lea, zoe = program("lea", "admin@lyon"), program("zoe", "viewer")
    elsewhere = ("pump-5", "cell-3", "tours")
    shown, leaks = 0, []
    for method, path, permission in calls(app):
        if method == "get" and permission in (Permission.SEE, None):
            query = "?text=cell" if path.endswith("/search") else ""
            answer = lea.client.get(path + query, headers=lea.headers)
            told = answer.text if path != "/api/v1/quarantine/1" else ""
            leaks += [(path, name) for name in elsewhere if name in told]
            everywhere = zoe.client.get(path + query, headers=zoe.headers).text
            shown += any(name in everywhere for name in elsewhere)
    assert leaks == []
    assert shown >= 12, "nothing was hidden: there was nothing to hide"


def test_the_history_of_a_rollout_names_nothing_of_another_site(
    program: Programs, enter: Callable[..., Browser], hub: Hub, rollout: str
) -> None:
    """One at tours alone is ended by one of both sites, which a plan chooses by name."""
    hub.database.execute("UPDATE rollout SET state = 'done'")
    plan = Plan(release="motor-health/2", use_case="motor-health", waves=(Wave.parse("100%"),))
    lea, zoe = program("lea", "admin@lyon"), program("zoe", "viewer")
    browser = enter("ida", "admin@lyon").client
    begun = []
    try:
        for devices, supersede in ((("cell-3",), False), (("cell-1", "cell-3"), True)):
            chosen = replace(plan, selector=Selector(sites=("lyon", "tours"), devices=devices))
            begun.append(hub.rollouts.start(chosen, actor="mira", supersede=supersede))
        told = lea.get(f"/rollouts/{begun[1]}").json
        assert told["rollout"]["plan"]["selector"]["devices"] == ["cell-1", "another device"]
        (start,) = told["history"]
        assert start["detail"]["plan"]["selector"]["sites"] == ["lyon", "another site"]
        assert start["detail"]["supersedes"] == ["another rollout"]
        assert zoe.get(f"/rollouts/{begun[1]}").json["history"][0]["detail"]["supersedes"] == [begun[0]]
        page = browser.get(f"/rollouts/{begun[1]}").text
        assert "it ended another rollout" in page
        for name in (begun[0], "cell-3", "tours"):
            assert name not in json.dumps(told) + page
    finally:
        for table, column in (("rollout_device", "rollout"), ("rollout", "id")):
            hub.database.execute(f"DELETE FROM {table} WHERE {column} = ANY (%(begun)s)", {"begun": begun})


def test_a_rollout_at_two_sites_is_moved_by_whoever_holds_the_role_at_both(
    program: Programs, hub: Hub, rollout: str
) -> None:
    lea, both = program("lea", "operator@lyon"), program("max", "operator@lyon", "operator@tours")
    answer = lea.post(f"/rollouts/{rollout}/pause", reason="smoke")
    assert answer.status_code == 403
    assert "at every site that it concerns" in answer.json["error"]
    assert lea.get(f"/rollouts/{rollout}").json["acts"] == []
    assert "pause" in both.get(f"/rollouts/{rollout}").json["acts"]
    assert both.post(f"/rollouts/{rollout}/pause", reason="smoke").json["state"] == "paused"


def test_a_plan_reaches_no_device_at_a_site_where_its_author_starts_nothing(
    program: Programs, hub: Hub, rollout: str
) -> None:
    hub.database.execute("UPDATE rollout SET state = 'done'")
    lea = program("lea", "operator@lyon")
    for select in ({"sites": ["tours"]}, {"devices": ["cell-3"]}, {"sites": ["lyon", "tours"]}):
        for path in ("/rollout-previews", "/rollouts"):
            answer = lea.post(path, release="motor-health/2", select=select)
            assert answer.status_code in (403, 422), answer.text
    ahead = lea.post("/rollout-previews", release="motor-health/2").json
    assert {place["site"] for wave in ahead["waves"] for place in wave["devices"]} == {"lyon"}
    assert hub.database.row("SELECT count(*) AS n FROM rollout") == {"n": 1}


def test_a_device_is_enrolled_only_where_its_author_may(program: Programs, hub: Hub) -> None:
    lea = program("lea", "operator@lyon")
    answer = lea.post("/devices", name="cell-8", site="tours")
    assert answer.status_code == 403
    assert hub.database.row("SELECT FROM device WHERE name = 'cell-8'") is None
