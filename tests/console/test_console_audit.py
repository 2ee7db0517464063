"""The chain on the console: told in words, found by filters, loud where it was tampered with."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from cloud_hub.console.records.audit_pages import MOST_FILES
from cloud_hub.governance.chain import AT_ONCE, Chain
from cloud_hub.hub import Hub
from cloud_hub.identity.people.permissions import MAY, Permission, Role
from tests.console.console_jobs import seed_decisions
from tests.console.console_people import Browser, token
from tests.console.console_seed import seed

Enter = Callable[..., Browser]
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def rollout(hub: Hub) -> str:
    made = seed(hub)
    seed_decisions(hub)
    return made


def numbers(text: str) -> list[int]:
    """Of the entries on a page, in their order."""
    links = text.split('<td class="num wide"><a href="/audit/')[1:]
    return [int(each.partition('"')[0]) for each in links]


def entry_of(hub: Hub, action: str) -> int:
    row = hub.database.row("SELECT id FROM audit WHERE action = %(action)s", {"action": action})
    assert row
    return int(row["id"])


def append(hub: Hub, count: int, action: str = "label.failure") -> None:
    with hub.database.transaction() as connection:
        for number in range(count):
            hub.record(connection, actor="policy:x", action=action, subject=f"pump-{number}")


def test_entries_are_told_in_words_newest_first(client: FlaskClient, rollout: str) -> None:
    text = client.get("/audit").text
    assert numbers(text) == sorted(numbers(text), reverse=True)
    for expected in (
        '<b>policy:retrain</b> asked for <a class="mono" href="/jobs?subject=motor-health-r2">',
        'approved <a class="mono" href="/models/motor-health/2">',
        f'started <a class="mono" href="/rollouts/{rollout}">',
        "why: drift of pressure",
        "All that was kept",
        'href="/audit/trace/trace-2"',
    ):
        assert expected in text
    assert "Each of" in text
    assert "broken" not in text


def test_entries_are_found_by_who_what_about_what_trace_and_when(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    ids = {"retrain.request", "retrain.done", "release.approve", "release.publish", "rollout.start"}
    by_action = {action: entry_of(hub, action) for action in ids}
    asked = {
        "actor=policy:retrain": ["retrain.request"],
        "action=release.approve": ["release.approve"],
        "subject=motor-health/": ["release.publish", "release.approve"],
        "actor=mira&correlation=trace-2": ["release.approve", "rollout.start"],
    }
    for query, actions in asked.items():
        assert numbers(client.get(f"/audit?{query}").text) == [by_action[each] for each in actions], query
    hub.database.execute(
        "UPDATE audit SET time = time - interval '3 days' WHERE id = %(id)s",
        {"id": by_action["retrain.done"]},
    )
    now = hub.clock.now().replace(tzinfo=None)
    span = {"from": (now - timedelta(days=4)).isoformat(), "to": (now - timedelta(days=1)).isoformat()}
    found = client.get("/audit", query_string=span | {"zone": "UTC"}).text
    assert numbers(found) == [by_action["retrain.done"]]
    tokyo = client.get("/audit", query_string=span | {"zone": "Asia/Tokyo"}).text
    assert numbers(tokyo) == [by_action["retrain.done"]]
    assert 'value="Asia/Tokyo" selected' in tokyo


def test_a_pattern_in_a_filter_means_itself(client: FlaskClient, hub: Hub, rollout: str) -> None:
    for text in ("%", "_", "motor_health", "\\", "'; DROP TABLE audit; --"):
        answer = client.get("/audit", query_string={"subject": text})
        assert answer.status_code == 200
        assert "No entry matches" in answer.text


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"from": "2026-05-02T00:00", "to": "2026-05-01T00:00"}, "ends before it begins"),
        ({"from": "yesterday"}, "expected a date and a time"),
        ({"from": "2026-05-02T00:00", "zone": "Mars/Olympus"}, "expected a zone"),
        ({"from": "2026-03-29T02:30", "zone": "Europe/Paris"}, "is left out"),
    ],
)
def test_a_span_that_cannot_be_is_refused_in_words_and_stays_typed(
    client: FlaskClient, rollout: str, query: dict[str, str], why: str
) -> None:
    answer = client.get("/audit", query_string=query | {"subject": "pump"})
    assert answer.status_code == 400
    assert why in answer.text
    assert 'value="pump"' in answer.text
    assert f'value="{query["from"]}"' in answer.text
    assert client.get("/audit/export.json", query_string=query).status_code == 400


def test_bad_input_answers_in_words(client: FlaskClient, rollout: str) -> None:
    for path, status in {
        "/audit?page=0": 400,
        f"/audit?page={10**30}": 400,
        f"/audit?actor={'x' * 101}": 400,
        "/audit?actor=%00": 400,
        "/audit/0": 404,
        "/audit/999999": 404,
        f"/audit/{2**63}": 404,
        f"/audit/{10**40}": 404,
        "/audit/trace/nothing": 404,
        f"/audit/trace/{'x' * 4000}": 404,
        "/audit?page=999": 200,
    }.items():
        assert client.get(path).status_code == status, path


def test_a_long_chain_is_paged(client: FlaskClient, hub: Hub) -> None:
    append(hub, 120)
    total = (hub.database.row("SELECT max(id) AS id FROM audit") or {})["id"]
    assert numbers(client.get("/audit").text) == list(range(total, total - 50, -1))
    assert numbers(client.get("/audit?page=2").text) == list(range(total - 50, total - 100, -1))
    filtered = numbers(client.get("/audit?action=label.failure&page=3").text)
    assert len(filtered) == 20


def test_an_entry_shows_everything_and_its_hash(client: FlaskClient, hub: Hub, rollout: str) -> None:
    number = entry_of(hub, "retrain.request")
    text = client.get(f"/audit/{number}").text
    row = hub.database.row("SELECT encode(hash, 'hex') AS hash FROM audit WHERE id = %(id)s", {"id": number})
    assert row
    for expected in ("drift of pressure", row["hash"], "as it was written", "trace-2"):
        assert expected in text


def test_a_chain_that_was_tampered_with_is_said_loudly_on_every_page_of_it(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    number = entry_of(hub, "release.approve")
    hub.database.execute("UPDATE audit SET actor = 'eve' WHERE id = %(id)s", {"id": number})
    text = client.get("/audit").text
    assert f"The chain is broken at entry {number}" in text
    assert 'role="alert"' in text
    assert "cannot be trusted" in text
    assert f"{number - 1} entries from the first one on are as they were written" in text
    for later in (number, number + 1):
        assert "cannot be trusted" in client.get(f"/audit/{later}").text
    assert "as it was written" in client.get(f"/audit/{number - 1}").text


def test_what_is_changed_behind_a_walk_shows_when_it_is_walked_again(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    assert "broken" not in client.get("/audit").text
    hub.database.execute("UPDATE audit SET subject = 'other' WHERE id = 2")
    assert "broken" not in client.get("/audit").text  # it was walked, and is not walked for every page
    answer = client.post("/audit", data={"csrf": token(client, "/audit")}, follow_redirects=True)
    assert "does not fit" in answer.text
    assert "The chain is broken at entry 2" in answer.text


def test_newest_entries_that_were_cut_off_or_changed_show_at_once(hub: Hub, rollout: str) -> None:
    watcher = Chain(hub.database)
    whole = watcher.look().found
    assert whole is not None
    assert whole.broken is None
    hub.database.execute("DELETE FROM audit WHERE id = %(id)s", {"id": whole.entries})
    cut = watcher.look().found
    assert cut is not None
    assert "was there and is gone" in cut.why
    append(hub, 3)
    again = watcher.look(again=True).found  # the chain fits in itself, and is not the one that it was
    assert again is not None
    assert again.why == f"entry {whole.entries} is not the one that was there"

    other = Chain(hub.database)
    newest = other.look().found
    assert newest is not None
    hub.database.execute(
        "UPDATE audit SET hash = sha256('forged'::bytea) WHERE id = %(id)s", {"id": newest.entries}
    )
    changed = other.look().found
    assert changed is not None
    assert "the newest entry was changed" in changed.why


def test_a_long_chain_is_walked_beside_the_page_and_what_is_new_by_it(hub: Hub) -> None:
    append(hub, AT_ONCE + 100)
    watcher = Chain(hub.database)
    first = watcher.look()
    assert first.found is None
    assert first.under_way
    while (standing := watcher.look()).under_way:
        pass
    total = standing.total
    assert standing.found is not None
    assert (standing.found.entries, standing.found.broken) == (total, None)
    assert standing.from_first is not None
    append(hub, 5)
    assert watcher.look().found.entries == total + 5  # type: ignore[union-attr]
    assert watcher.look().from_first == standing.from_first


def test_the_export_holds_the_filtered_list_with_its_hashes(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    append(hub, 1100)
    answer = client.get("/audit/export.json?action=label.failure")
    assert "attachment" in answer.headers["Content-Disposition"]
    told = json.loads(answer.text)
    assert told["exported_by"] == "mira"
    assert told["filters"] == {"action": "label.failure"}
    assert told["entries_found"] == len(told["entries"]) == 1100
    ids = [each["id"] for each in told["entries"]]
    assert ids == sorted(set(ids), reverse=True)
    for later, earlier in zip(told["entries"], told["entries"][1:], strict=False):
        assert later["previous"] == earlier["hash"]
    assert json.loads(client.get("/audit/export.json?actor=nobody").text)["entries"] == []


def test_who_reads_files_slowly_holds_a_few_threads_and_no_more(client: FlaskClient, rollout: str) -> None:
    slow = [client.get("/audit/export.json") for _ in range(MOST_FILES)]
    assert {answer.status_code for answer in slow} == {200}
    pieces = [answer.iter_encoded() for answer in slow]
    assert all(next(each).startswith(b"{") for each in pieces)
    refused = client.get("/audit/export.json")
    assert refused.status_code == 503
    assert "Too many files are on their way" in refused.text
    slow[0].close()
    assert client.get("/audit/export.json").text.endswith("]}\n")
    for answer in slow:
        answer.close()


def test_a_trace_tells_the_whole_story_in_order(client: FlaskClient, hub: Hub, rollout: str) -> None:
    text = client.get("/audit/trace/trace-2").text
    story = text.partition('id="h-story"')[2]
    told = (
        "pressure has drifted",
        "motor-health-r2",
        "motor-health/2",
        f"/rollouts/{rollout}",
        "rolled-back",
        "share of answers out of range 0.31",
    )
    for expected in told:
        assert expected in story, expected
    assert story.index("A trigger") < story.index("asked for") < story.index("approved")
    times = [each.partition('"')[0] for each in story.split('datetime="')[1:]]
    assert times == sorted(times)


def test_no_text_in_the_chain_becomes_code(client: FlaskClient, hub: Hub) -> None:
    rollout = seed(hub, hostile=HOSTILE)
    seed_decisions(hub, note=HOSTILE)
    with hub.database.transaction() as connection:
        for action in (HOSTILE, "release.approve", "device.retire", "alarm.judge"):
            subject = HOSTILE.replace("/", "")
            hub.record(connection, actor=HOSTILE, action=action, subject=subject, correlation=HOSTILE)
    number = entry_of(hub, HOSTILE)
    paths = ["/audit", f"/audit/{number}", "/audit/trace/trace-2", f"/audit/trace/{HOSTILE}"]
    for path in (*paths, f"/audit?subject={HOSTILE}", f"/rollouts/{rollout}"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reads_the_chain_as_it_may(enter: Enter, hub: Hub, rollout: str, role: Role) -> None:
    browser = enter(f"the-{role}", role)
    sees = Permission.AUDIT in MAY[role]
    for path in ("/audit", "/audit/1", "/audit/trace/trace-2", "/audit/export.json"):
        assert browser.client.get(path).status_code == (200 if sees else 403)
    assert ('href="/audit"' in browser.client.get("/").text) is sees
    assert browser.post("/account", "/audit").status_code == (303 if sees else 403)


def test_who_works_at_one_site_reads_nothing_of_the_chain(enter: Enter, rollout: str) -> None:
    client = enter("lea", "admin@lyon").client
    for path in ("/audit", "/audit/1", "/audit/trace/trace-2", "/audit/export.json"):
        assert client.get(path).status_code == 403
