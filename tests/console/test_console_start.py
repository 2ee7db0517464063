"""A rollout started at the console: what is previewed is what starts, once, and only where one may."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from cloud_hub.rollout.drafts import Draft
from tests.console.conftest import Later
from tests.console.console_fleet import fleet
from tests.console.console_people import PASSWORD, Browser

Enter = Callable[..., Browser]

RELEASE = "motor-health/2"
PLAN = f"/rollouts/new/preview?release={RELEASE}"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def plant(hub: Hub) -> None:
    fleet(hub)


def fields(page: str) -> dict[str, str]:
    """What the form that starts a rollout carries."""
    form = page[page.index('action="/rollouts/new/begin"') :]
    return {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}


def begin(client: FlaskClient, path: str = PLAN, **changes: str):
    return client.post("/rollouts/new/begin", data=fields(client.get(path).text) | changes)


def started(hub: Hub) -> list[str]:
    return [row["id"] for row in hub.database.rows("SELECT id FROM rollout ORDER BY created, id")]


def standing(hub: Hub, rollout: str) -> dict[str, int]:
    rows = hub.database.rows(
        "SELECT d.name, rd.wave FROM rollout_device rd JOIN device d ON d.id = rd.device WHERE rd.rollout = %(r)s",
        {"r": rollout},
    )
    return {row["name"]: row["wave"] for row in rows}


def test_the_form_offers_what_can_be_rolled_out_and_says_why_the_rest_cannot(client: FlaskClient) -> None:
    page = client.get("/rollouts/new").text
    assert '<option value="motor-health/2"' in page
    assert '<option value="motor-health/3"' not in page
    assert "its gate refused it: RMSE 71 h, asked &lt;= 58 h" in page
    assert "it awaits approval" in page
    assert re.search(r'name="site" value="tours"> <span>tours <span class="faint">2, Asia/Tokyo', page)
    assert re.search(r'name="tag" value="canary"> <span>canary <span class="faint">1<', page)
    prefilled = client.get("/rollouts/new?release=motor-health/1&site=tours&soak=3").text
    assert '<option value="motor-health/1" selected>' in prefilled
    assert re.search(r'name="site" value="tours" checked', prefilled)
    assert (
        'name="soak" type="text" maxlength="500" autocomplete="off" spellcheck="false" value="3"' in prefilled
    )


def test_what_was_previewed_is_what_starts(client: FlaskClient, hub: Hub) -> None:
    path = f"{PLAN}&waves=1,3,100%25&soak=2&tolerate=10%25&approve=3"
    plan = Draft.of({"release": [RELEASE], "waves": ["1,3,100%"]}).read().plan
    assert plan is not None
    foreseen = {each.name: wave for wave, found in hub.rollouts.preview(plan).members() for each in found}
    page = client.get(path, follow_redirects=True).text
    rows = re.findall(r'<td class="num">(\d)</td><th scope="row"><a href="/devices/([\w-]+)"', page)
    assert {name: int(wave) for wave, name in rows} == foreseen
    answer = client.post("/rollouts/new/begin", data=fields(page))
    (rollout,) = started(hub)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/rollouts/{rollout}")
    assert standing(hub, rollout) == foreseen
    kept = hub.database.row("SELECT created_by, plan, approvals FROM rollout")
    assert kept
    assert (kept["created_by"], kept["approvals"]) == ("mira", [3])
    told = {name: kept["plan"][name] for name in ("soak_hours", "tolerated", "waves")}
    assert told == {"soak_hours": 2, "tolerated": 0.1, "waves": ["1", "3", "100%"]}
    audited = hub.database.row("SELECT actor, subject FROM audit WHERE action = 'rollout.start'")
    assert audited == {"actor": "mira", "subject": rollout}


def test_sent_twice_it_starts_once_and_says_so(client: FlaskClient, hub: Hub) -> None:
    form = fields(client.get(PLAN).text)
    first = client.post("/rollouts/new/begin", data=form)
    hub.database.execute("UPDATE device_release SET release = 'motor-health/2'")  # it went fast
    again = client.post("/rollouts/new/begin", data=form)
    assert (again.status_code, again.headers["Location"]) == (303, first.headers["Location"])
    assert "nothing was started twice" in client.get(again.headers["Location"]).text
    assert started(hub) == ["motor-health-2.1"]


def test_two_at_once_start_one(enter: Enter, hub: Hub) -> None:
    clients = [enter("mira", "admin").client, enter("mira").client]
    forms = [fields(client.get(PLAN).text) for client in clients]
    with ThreadPoolExecutor(2) as both:
        answers = list(
            both.map(lambda client, form: client.post("/rollouts/new/begin", data=form), clients, forms)
        )
    assert [answer.headers["Location"] for answer in answers] == ["/rollouts/motor-health-2.1"] * 2
    assert started(hub) == ["motor-health-2.1"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE device SET online = false WHERE name = 'cell-1'", "devices stand in other waves"),
        ("UPDATE device SET key_fingerprint = NULL WHERE name = 'cell-4'", "other devices match"),
    ],
)
def test_what_changed_since_the_preview_starts_nothing_and_is_shown(
    client: FlaskClient, hub: Hub, change: str, said: str
) -> None:
    form = fields(client.get(PLAN).text)
    hub.database.execute(change)
    answer = client.post("/rollouts/new/begin", data=form)
    assert answer.status_code == 409
    assert f"Nothing was started: since you looked, {said}" in answer.text
    assert started(hub) == []
    assert client.post("/rollouts/new/begin", data=fields(answer.text)).status_code == 303
    assert len(started(hub)) == 1


def test_what_nobody_has_previewed_does_not_start(client: FlaskClient, hub: Hub) -> None:
    for seal in ("", "-", "motor-health-2.1", "x" * 5000):
        assert begin(client, seal=seal).status_code == 409
    assert started(hub) == []


def test_another_person_who_previewed_the_same_is_told_of_the_first(enter: Enter, hub: Hub) -> None:
    mira, zoe = enter("mira", "operator"), enter("zoe", "operator")
    form = fields(zoe.client.get(PLAN).text)
    assert begin(mira.client).status_code == 303
    answer = zoe.client.post("/rollouts/new/begin", data=form)
    assert answer.status_code == 409
    assert "another rollout of this release has begun" in answer.text
    assert "motor-health-2.1</a> still directs 4 devices" in answer.text
    assert len(started(hub)) == 1


def test_whoever_works_at_one_site_starts_there_and_only_there(enter: Enter, hub: Hub) -> None:
    lea = enter("lea", "operator@lyon", "viewer@tours").client
    assert "tours" not in lea.get("/rollouts/new").text
    link = lea.get(PLAN)
    assert "site=lyon" in link.headers["Location"]  # a colleague who may more sees the same
    assert begin(lea, link.headers["Location"]).status_code == 303
    assert set(standing(hub, "motor-health-2.1")) == {"cell-1", "cell-2"}
    plan = hub.database.row("SELECT plan -> 'selector' -> 'sites' AS sites FROM rollout")
    assert plan == {"sites": ["lyon"]}  # nobody joins late from elsewhere
    refused = lea.get(f"{PLAN}&site=tours")
    assert refused.status_code == 403
    assert "You start rollouts at lyon: at tours it takes the role operator or admin there." in refused.text
    for plan_text in (f"release={RELEASE}&site=tours", f"release={RELEASE}&site=lyon&site=tours"):
        answer = lea.post(
            "/rollouts/new/begin",
            data=fields(lea.get(PLAN + "&site=lyon&supersede=yes").text) | {"plan": plan_text},
        )
        assert answer.status_code == 403
    assert started(hub) == ["motor-health-2.1"]


def test_what_one_may_not_see_is_answered_as_what_is_not_there(enter: Enter, hub: Hub) -> None:
    hub.database.execute("UPDATE device SET tags = '{secret}' WHERE name = 'cell-3'")
    lea, zoe = enter("lea", "operator@lyon").client, enter("zoe", "operator").client
    for field, hidden in (("site", "tours"), ("device", "cell-3"), ("tag", "secret")):
        there, nowhere = (lea.get(f"{PLAN}&{field}={name}") for name in (hidden, "nope"))
        assert there.status_code == nowhere.status_code == 400
        told, told_nothing = (answer.text[answer.text.index("<main") :] for answer in (there, nowhere))
        assert told.replace(hidden, "nope") == told_nothing  # the head above tells the time
        counted = lea.get(f"/rollouts/new/count?release={RELEASE}&{field}={hidden}").text
        assert "cell-3" not in counted.replace(f"device {hidden}", "")
        assert zoe.get(f"{PLAN}&{field}={hidden}").status_code == 200


def test_who_may_not_start_is_offered_nothing_and_refused(enter: Enter, hub: Hub) -> None:
    form = fields(enter("mira", "admin").client.get(PLAN).text)
    for role in ("viewer", "engineer", "approver"):
        browser = enter(f"the-{role}", role)
        assert "/rollouts/new" not in browser.client.get("/rollouts").text
        for path in ("/rollouts/new", PLAN, "/rollouts/new/count"):
            assert browser.client.get(path).status_code == 403
        sent = {name: form[name] for name in ("plan", "seal")}
        assert browser.post("/account", "/rollouts/new/begin", **sent).status_code == 403
    assert started(hub) == []


def test_an_ended_session_starts_nothing_and_keeps_the_plan(enter: Enter, hub: Hub, later: Later) -> None:
    browser = enter("mira", "admin")
    path = f"{PLAN}&site=tours&soak=7.5&windows=sat 02:00-04:00&tolerate=25%25&device=cell-3, cell-4"
    link = browser.client.get(path).headers["Location"]
    form = fields(browser.client.get(link).text)
    later.ahead += timedelta(hours=2)
    door = browser.client.post("/rollouts/new/begin", data=form)
    assert door.status_code == 401
    typed = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', door.text)}
    answer = browser.client.post("/login", data=typed | {"name": "mira", "password": PASSWORD})
    page = browser.client.get(answer.headers["Location"]).text
    assert started(hub) == []
    assert "nothing was done" in page
    assert {name: fields(page)[name] for name in ("plan", "seal")} == {
        name: form[name] for name in ("plan", "seal")
    }
    assert browser.client.post("/rollouts/new/begin", data=fields(page)).status_code == 303
    later.ahead += timedelta(hours=2)
    door = browser.client.get(link)
    typed = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', door.text)}
    again = browser.client.post("/login", data=typed | {"name": "mira", "password": PASSWORD})
    assert again.headers["Location"] == link


def test_a_form_of_an_earlier_session_starts_nothing_and_shows_its_preview_again(
    client: FlaskClient, hub: Hub
) -> None:
    path = f"{PLAN}&soak=7.5"
    answer = begin(client, path, csrf="of another session")
    assert answer.status_code == 403
    assert started(hub) == []
    assert fields(answer.text)["plan"] == fields(client.get(path).text)["plan"]


def test_a_rollout_in_the_way_is_named_and_ended_only_if_asked(client: FlaskClient, hub: Hub) -> None:
    begin(client)
    page = client.get("/rollouts/new/preview?release=motor-health/2&site=tours").text
    assert "motor-health-2.1</a> still directs 2 devices of these: cell-3, cell-4." in page
    assert "/rollouts/new/begin" not in page
    over = "/rollouts/new/preview?release=motor-health/2&site=tours&supersede=yes"
    assert "It is ended when this starts" in client.get(over).text
    plain = fields(client.get(over).text)
    plain["plan"] = plain["plan"].replace("&supersede=yes", "").replace("supersede=yes", "")
    refused = client.post("/rollouts/new/begin", data=plain)
    assert refused.status_code == 409
    assert "still directs" in refused.text
    assert begin(client, over).status_code == 303
    states = hub.database.rows("SELECT id, state FROM rollout ORDER BY id")
    assert [row["state"] for row in states] == ["aborted", "running"]


def test_nobody_ends_a_rollout_in_the_way_that_they_could_not_end_by_itself(enter: Enter, hub: Hub) -> None:
    begin(enter("mira", "admin").client)
    lea = enter("lea", "operator@lyon").client
    path = f"{PLAN}&supersede=yes&site=lyon"
    page = lea.get(path, follow_redirects=True).text
    assert "takes the role to steer rollouts at every site that it concerns" in page
    assert "/rollouts/new/begin" not in page
    sent = fields(enter("zoe", "operator").client.get(path, follow_redirects=True).text)
    del sent["csrf"]
    answer = enter("lea").post("/account", "/rollouts/new/begin", **sent)
    assert answer.status_code == 403
    assert "To end motor-health-2.1 takes the role operator or admin" in answer.text
    assert [row["state"] for row in hub.database.rows("SELECT state FROM rollout")] == ["running"]


def test_faults_stand_at_their_fields_and_what_was_typed_stays(client: FlaskClient) -> None:
    answer = client.get(f"{PLAN}&waves=many&soak=soon&windows=quiet hours&device=cell-1 nope&tag=canary")
    assert answer.status_code == 400
    for said in (
        "got &#39;many&#39;",
        "got &#39;soon&#39;",
        "got &#39;quiet hours&#39;",
        "There is no device nope.",
    ):
        assert said in answer.text
    for typed in (
        'value="many"',
        'value="soon"',
        'value="quiet hours"',
        ">cell-1\nnope<",
        'value="canary" checked',
    ):
        assert typed in answer.text
    assert answer.text.count('aria-invalid="true"') == 4
    assert re.search(r'id="finer" open', answer.text)


REFUSED = (
    ("release=motor-health/3", 409),
    ("release=motor-health/99", 400),
    ("release=motor-health/2&waves=1", 400),
    ("release=motor-health/2&site=lyon&device=cell-3", 400),
    ("release=motor-health/2&wave=9", 400),
    ("release=motor-health/2&page=abc", 400),
    ("release=motor-health/2&page=99999999999999999999", 400),
    ("release=motor-health/2&waves=" + "9" * 400, 400),
    ("release=%00", 400),
    ("soak=1e999&timeout=-1&at_once=99999999999999999999", 400),
)
FORGED = (
    "",
    "release=%00",
    "release=motor-health/2&site=%00",
    "&" * 3000,
    "%ff=%ff",
    "release=motor-health/2&site=%ED%A0%80",
)


def test_what_cannot_be_is_refused_in_words(client: FlaskClient, hub: Hub) -> None:
    for query, status in REFUSED:
        assert client.get(f"/rollouts/new/preview?{query}").status_code == status, query
    for plan in FORGED:
        assert begin(client, plan=plan).status_code == 400, plan
    assert started(hub) == []


def test_windows_open_in_each_site_s_time_and_waves_follow_each_other(client: FlaskClient) -> None:
    zones = ("Europe/Paris", "Asia/Tokyo")
    now = {datetime.now(ZoneInfo(zone)).hour for zone in zones}
    opens = next(hour for hour in range(22) if not now & {hour - 1, hour, hour + 1})  # open nowhere now
    window = f"daily {opens:02}:00-{opens + 2:02}:00"
    page = client.get(f"{PLAN}&windows={window}&soak=24&approve=2", follow_redirects=True).text
    for zone in zones:
        assert f"{opens:02}:00 at {zone}" in page
    assert "No wave can end sooner" in page
    assert "once it is approved" in page
    assert page.count('class="a-soak"') == 3


def test_a_plan_that_takes_devices_back_to_an_older_release_says_so(client: FlaskClient, hub: Hub) -> None:
    hub.database.execute("UPDATE device_release SET release = 'motor-health/2'")
    for device, runs in (("cell-1", "motor-health/٣"), ("cell-2", "other/9"), ("cell-3", "motor-health/10")):
        hub.database.execute(
            """UPDATE device_release SET release = %(runs)s FROM device
                WHERE device.id = device_release.device AND device.name = %(device)s""",
            {"runs": runs, "device": device},
        )
    assert (
        "a newer release now" not in client.get("/rollouts/new/preview?release=motor-health/2&site=lyon").text
    )
    page = client.get("/rollouts/new/preview?release=motor-health/1").text
    assert "2 devices of these run a newer release now: this takes them back to an older one." in page


def test_names_are_text_wherever_they_come_from(client: FlaskClient, hub: Hub) -> None:
    hub.database.execute(
        "UPDATE device SET tags = ARRAY [%(h)s], profile = %(h)s, target = %(h)s", {"h": HOSTILE}
    )
    hub.database.execute("UPDATE site SET name = %(h)s WHERE name = 'tours'", {"h": HOSTILE})
    hub.database.execute(
        "INSERT INTO pin SELECT id, 'motor-health', %(h)s, 'mira', now() FROM device WHERE name = 'cell-3'",
        {"h": HOSTILE},
    )
    hub.database.execute("UPDATE device_release SET release = %(h)s", {"h": HOSTILE})
    for path in (
        "/rollouts/new",
        PLAN,
        f"{PLAN}&wave=out",
        f"{PLAN}&site={HOSTILE}&tag={HOSTILE}&waves={HOSTILE}",
    ):
        page = client.get(path, follow_redirects=True).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_while_one_chooses_it_is_told_whom_that_means(client: FlaskClient, hub: Hub) -> None:
    hub.database.execute(
        "INSERT INTO pin SELECT id, 'motor-health', 'kept', 'mira', now() FROM device WHERE name = 'cell-4'"
    )
    told = client.get(f"/rollouts/new/count?release={RELEASE}&site=tours").text
    assert "<b>1</b> device" in told
    assert "1 left out: 1 pinned." in told
    assert "Choose a release." in client.get("/rollouts/new/count").text
    assert "<html" not in told


def test_a_release_that_failed_before_says_so_before_it_starts_again(enter: Enter, hub: Hub) -> None:
    client = enter("mira", "admin").client
    begin(client)
    hub.database.execute("UPDATE rollout SET state = 'done'")
    first = client.get(PLAN).text
    assert "did not pass its gate" not in first
    assert "rolled out before and stopped" not in first
    hub.database.execute("UPDATE rollout SET state = 'halted'")
    hub.database.execute(
        """UPDATE model SET gate = gate || '{"passed": false}' WHERE release = 'motor-health/2'"""
    )
    again = client.get(PLAN).text
    assert "did not pass its gate: it was approved against it" in again
    stopped = again.partition("rolled out before and stopped")[2].partition("</p>")[0]
    assert f'href="/rollouts/{started(hub)[0]}"' in stopped
