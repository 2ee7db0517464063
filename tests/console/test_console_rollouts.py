"""Rollouts at the console: found by what one remembers of them, read page by page, undone knowing whom it hits."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from cloud_hub.rollout.drafts import Draft
from tests.console.console_fleet import USE_CASE, fleet
from tests.console.console_people import Browser, token

Enter = Callable[..., Browser]

HOSTILE = "<script>alert(1)</script>"
MANY = 120


def start(hub: Hub, **fields: list[str]) -> str:
    plan = Draft.of({"release": ["motor-health/2"], **fields}).read().plan
    assert plan is not None
    return hub.rollouts.start(plan, actor="mira")


def names(page: str) -> list[str]:
    return re.findall(r'id="[od]-([^"]+)"', page)


def words(page: str) -> str:
    """What a page says, as a reader reads it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def settle(hub: Hub, condition: str, **values: object) -> None:
    sets = ", ".join(f"{name} = %({name})s" for name in values)
    hub.database.execute(
        f"UPDATE rollout_device rd SET {sets} FROM device d WHERE d.id = rd.device AND {condition}",
        values,
    )


def offer(hub: Hub, rollout: str) -> None:
    """As the engine does: a directive is out to each device of the first wave."""
    now = hub.clock.now()
    settle(
        hub,
        "rd.wave = 1",
        state="offered",
        sequence=5,
        previous="motor-health/1",
        issued=now,
        deadline=now + timedelta(hours=24),
    )
    hub.database.execute("UPDATE rollout SET wave = 1")
    hub.database.execute(
        """INSERT INTO directive (device, use_case, sequence, release, rollout, mode, signed, issued)
           SELECT device, %(u)s, 5, 'motor-health/2', %(r)s, 'install', '', %(n)s FROM rollout_device WHERE wave = 1""",
        {"u": USE_CASE, "r": rollout, "n": now},
    )


def test_rollouts_that_go_on_come_first_and_are_found_by_what_one_remembers(
    client: FlaskClient, hub: Hub
) -> None:
    fleet(hub)
    first = start(hub, site=["lyon"])
    second = start(hub, site=["tours"])
    hub.rollouts.abort(second, actor="zoe", reason="smoke in hall 3")
    assert names(client.get("/rollouts").text) == [first, second]
    assert names(client.get("/rollouts?state=aborted").text) == [second]
    assert names(client.get("/rollouts?text=HALL 3").text) == [second]
    assert names(client.get(f"/rollouts?use_case={USE_CASE}&state=running").text) == [first]
    nothing = client.get("/rollouts?text=no-such")
    assert nothing.status_code == 200
    assert "No rollout matches" in nothing.text
    assert client.get("/rollouts?state=lost").status_code == 400
    assert client.get("/rollouts?page=0").status_code == 400
    page = client.get("/rollouts?page=7").text
    assert "There is no page 7: this is the last one." in page
    assert 'data-live="rollouts" hx-get="/rollouts?page=7"' in page


def test_the_list_shows_how_far_each_is_a_page_at_a_time(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub)
    settle(hub, "d.name = 'cell-1'", state="committed")
    settle(hub, "d.name = 'cell-2'", state="silent")
    page = client.get("/rollouts").text
    assert "1 of 4 committed, 1 silent, 2 waiting" in words(page)
    assert '<rect class="t-ok" width="25.0"' in page
    assert '<rect class="t-bad" x="25.0" width="25.0"' in page
    hub.database.execute(
        """INSERT INTO rollout SELECT id || '-' || g, use_case, release, plan, 'done', '', 1, '', 'mira', created, changed
             FROM rollout, generate_series(1, 25) AS g"""
    )
    assert len(names(client.get("/rollouts").text)) == 20
    assert len(names(client.get("/rollouts?page=2").text)) == 6
    assert names(client.get("/rollouts").text)[0] == rollout
    assert 'href="/rollouts?state=done&amp;page=2"' in client.get("/rollouts?state=done").text


def test_devices_come_a_page_at_a_time_and_by_what_one_looks_for(client: FlaskClient, hub: Hub) -> None:
    fleet(hub, more=MANY)
    rollout = start(hub, waves=["2, 100%"])
    settle(hub, "d.name = 'press-0077'", state="rolled-back", reason="share of answers out of range 0.31")
    path = f"/rollouts/{rollout}"
    page = client.get(path).text
    assert names(page)[0] == "press-0077"
    assert len(names(page)) == 50
    seen = [name for number in (1, 2, 3) for name in names(client.get(f"{path}?page={number}").text)]
    assert len(seen) == len(set(seen)) == MANY + 4
    assert names(client.get(f"{path}?state=rolled-back").text) == ["press-0077"]
    assert names(client.get(f"{path}?text=OUT of range").text) == ["press-0077"]
    assert names(client.get(f"{path}?site=tours").text) == ["cell-3", "cell-4"]
    assert names(client.get(f"{path}?wave=1").text) == ["cell-1", "cell-2"]
    assert f'hx-get="{path}?wave=1"' in client.get(f"{path}?wave=1").text
    nothing = client.get(f"{path}?text=no-such")
    assert "No device matches" in nothing.text
    assert nothing.status_code == client.get(f"{path}?state=committed").status_code == 200
    for query in ("wave=3", "wave=x", "page=-1", "text=" + "x" * 101):
        assert client.get(f"{path}?{query}").status_code == 400, query


def test_an_act_says_whom_it_hits_and_where_they_go_before_it_is_done(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub, waves=["3, 100%"])
    offer(hub, rollout)
    settle(hub, "d.name = 'cell-1'", state="committed")
    settle(hub, "d.name = 'cell-3'", previous=None)
    page = words(client.get(f"/rollouts/{rollout}").text)
    assert "2 devices are sent back to motor-health/1 . 1 device stays as it is" in page
    assert "1 device that waits is not offered motor-health/2 any more. The rollout ends." in page
    assert "1 device keeps it, and 2 devices under way may still take it" in page
    assert "1 device that waits goes on waiting. 2 devices already offered motor-health/2 go on." in page
    hub.rollouts.undo(rollout, actor="mira", reason="worse")
    back = hub.database.rows("SELECT state, count(*) AS n FROM rollout_device GROUP BY state ORDER BY state")
    assert {row["state"]: row["n"] for row in back}[
        "returning"
    ] == 3  # the one without a release is kept later
    gone = words(client.get(f"/rollouts/{rollout}").text)
    assert "are sent back" not in gone
    assert "It was undone" in gone


def test_a_pinned_device_or_one_directed_since_stays_when_it_is_undone(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub, waves=["100%"])
    offer(hub, rollout)
    hub.database.execute(
        "INSERT INTO pin SELECT id, 'motor-health', 'kept', 'mira', now() FROM device WHERE name = 'cell-1'"
    )
    hub.database.execute(
        """INSERT INTO directive (device, use_case, sequence, release, rollout, mode, signed, issued)
           SELECT id, 'motor-health', 9, 'motor-health/1', 'another', 'install', '', now() FROM device WHERE name = 'cell-2'"""
    )
    page = words(client.get(f"/rollouts/{rollout}").text)
    assert "2 devices are sent back to motor-health/1 . 2 devices stay as they are" in page


def test_a_verdict_shows_what_was_counted_and_who_failed_how(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub, waves=["2, 100%"], tolerate=["10%"])
    offer(hub, rollout)
    settle(hub, "d.name = 'cell-1'", state="committed")
    settle(hub, "d.name = 'cell-2'", state="rolled-back", reason="share of answers out of range 0.31")
    page = words(client.get(f"/rollouts/{rollout}").text)
    assert "failures 1 of 2 asked: at most 0, 10 % of the 2 that count not met" in page
    assert "commits 1 of 2 asked: at least 1, once all have answered met" in page
    assert "1 rolled-back share of answers out of range 0.31 cell-2" in page
    assert "its turn has not come" in page


def test_a_rollout_that_soaks_or_waits_for_a_window_says_for_how_long(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    closed = (hub.clock.now() + timedelta(hours=30)).strftime("%a").lower()
    rollout = start(hub, waves=["3, 100%"], soak=["24"], windows=[f"{closed} 12:00-12:30"])
    hub.database.execute(
        "UPDATE rollout SET wave = 1, passed = %(t)s", {"t": hub.clock.now() - timedelta(hours=4)}
    )
    page = words(client.get(f"/rollouts/{rollout}").text)
    assert "Wave 1 has proved itself and soaks: 20 h remain" in page
    assert "1 device in Asia/Tokyo waits for the next window:" in page
    assert "2 devices in Europe/Paris wait for the next window:" in page


def test_who_sees_one_site_sees_its_devices_and_no_name_of_another(enter: Enter, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub, waves=["100%"])
    offer(hub, rollout)
    settle(hub, "true", state="failed", reason="no room")
    lea = enter("lea", "viewer@lyon").client
    for query in ("", "?text=no room", "?site=tours", "?state=failed&page=2"):
        page = lea.get(f"/rollouts/{rollout}{query}").text
        assert "cell-3" not in page
        assert "cell-4" not in page
    assert names(lea.get(f"/rollouts/{rollout}").text) == ["cell-1", "cell-2"]
    assert names(lea.get(f"/rollouts/{rollout}?site=tours").text) == []
    assert rollout not in enter("eve", "viewer@tours").client.get("/rollouts?text=cell").text


def test_a_refused_act_comes_back_on_the_page_with_links_that_work(client: FlaskClient, hub: Hub) -> None:
    fleet(hub, more=60)
    rollout = start(hub)
    path = f"/rollouts/{rollout}"
    answer = client.post(f"{path}/undo", data={"csrf": token(client, path), "reason": ""})
    assert answer.status_code == 400
    assert f'href="{path}?page=2"' in answer.text
    assert f'hx-get="{path}"' in answer.text
    assert f"{path}/undo?page" not in answer.text


def test_names_and_reasons_are_text(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub, waves=["100%"])
    offer(hub, rollout)
    settle(hub, "true", state="failed", reason=HOSTILE, previous=HOSTILE)
    hub.database.execute("UPDATE site SET name = %(h)s WHERE name = 'tours'", {"h": HOSTILE})
    hub.database.execute("UPDATE rollout SET reason = %(h)s, created_by = %(h)s", {"h": HOSTILE})
    for path in (f"/rollouts/{rollout}", f"/rollouts/{rollout}?text={HOSTILE}", f"/rollouts?text={HOSTILE}"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_a_wave_says_how_many_it_opens_to_before_it_is_approved(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub, waves=["1, 100%"], approve=["2"])
    hub.database.execute("UPDATE rollout SET wave = 1, state = 'awaiting'")
    page = words(client.get(f"/rollouts/{rollout}").text)
    assert "Wave 2 opens: motor-health/2 is offered to its 3 devices." in page
    assert "; awaits approval" in page


def test_a_page_that_stood_open_approves_no_other_wave_than_it_showed(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub, waves=["1, 2, 100%"], approve=["2, 3"])
    hub.database.execute("UPDATE rollout SET wave = 1, state = 'awaiting'")
    path = f"/rollouts/{rollout}"
    page = client.get(path).text
    shown = re.search(r'name="wave" value="([^"]*)"', page)
    assert shown is not None
    form = {"csrf": token(client, path), "wave": shown[1]}
    hub.database.execute("UPDATE rollout SET wave = 2")
    answer = client.post(f"{path}/approve", data=form)
    assert answer.status_code == 409
    assert "awaits approval of wave 3, got one of wave 2" in unescape(answer.text)
    assert client.post(f"{path}/approve", data=form | {"wave": "x"}).status_code == 400
    assert client.post(f"{path}/approve", data=form | {"wave": "3"}).status_code == 303
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}


def test_who_decided_what_is_told_newest_first_with_the_reasons(client: FlaskClient, hub: Hub) -> None:
    fleet(hub)
    rollout = start(hub)
    hub.rollouts.pause(rollout, actor="zoe", reason="smoke in hall 3")
    hub.rollouts.resume(rollout, actor="mira", reason="it was steam")
    page = words(client.get(f"/rollouts/{rollout}").text)
    decided = page[page.index("Who decided what") :]
    order = [
        decided.index(each)
        for each in ("resume by mira it was steam", "pause by zoe smoke in hall 3", "start by mira")
    ]
    assert order == sorted(order)
