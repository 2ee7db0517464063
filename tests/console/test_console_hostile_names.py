"""No name that a device, a file or a person can choose becomes code: sent by the ways that devices send, seen in Chromium."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.errors import HubError
from cloud_hub.hub import Hub
from cloud_hub.identity import devices
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.devices import NewDevice
from cloud_hub.ingest import births
from tests.console.chromium import chromium, page_of
from tests.console.console_seed import seed
from tests.ingest.ingest_world import Process, Sender, now_us
from wire.batch import AlarmEvent, BatchClass, GapEvent, ReportEvent
from wire.messages import Status
from wire.table import Machine, Signal, SignalTable

EVIL = "<x-pwned onclick=a>\"'&{{7*7}}"  # as long as a unit may be
AS_TEXT = "&lt;x-pwned onclick=a&gt;"


@pytest.fixture
def liar(hub: Hub) -> Sender:
    """A device that says nothing else, in every message that ingest takes; stored by ingest's own transactions."""
    seed(hub)
    hub.database.execute(
        """INSERT INTO device (name, site, profile, key_fingerprint, added, enrolled)
           SELECT 'liar', id, 'generic-x86', 'liar', %(now)s, %(now)s FROM site""",
        {"now": hub.clock.now()},
    )
    table = SignalTable(
        machines=(Machine(name="lathe", machine_class=EVIL, feature_set=EVIL),),
        signals=(Signal(id=0, machine=0, name="flow", unit=EVIL),),
    )
    sender, process, now = Sender(name="liar", table=table), Process(hub.database), now_us()
    process.born(sender, sender.birth(profile=EVIL, target=EVIL, agent_version=EVIL))
    with hub.database.transaction() as connection:
        row = connection.execute("SELECT id FROM device WHERE name = 'liar'").fetchone()
        assert row
        status = Status(online=False, since_us=now, reason=EVIL)
        births.keep_statuses(connection, {row["id"]: status}, hub.clock.now())
    named: dict[str, Any] = {"time_us": now, "use_case": EVIL, "release": f"{EVIL}/1"}
    report: dict[str, Any] = {
        "directive_sequence": 7,
        "evidence": {EVIL: [EVIL]},
        "rollout": EVIL,
        "correlation": EVIL,
    }
    events = (
        AlarmEvent(**named, machine=0, state="opened", severity=0.5, message=EVIL, opened_us=now),
        GapEvent(time_us=now, reason=EVIL, machine=0, from_us=now - 9_000_000, to_us=now - 1_000_000),
        ReportEvent(**named, **report, state=EVIL, event=EVIL, reason=EVIL),
    )
    process.take(sender.arrival(sender.samples([1.0, 2.0])))
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=events)))
    process.take(sender.arrival(b"no batch: " + EVIL.encode()))
    return sender


def _say_the_rest(hub: Hub) -> None:
    """What people, trainings and files may say, in the columns that keep it."""
    told = {"evil": EVIL, "now": hub.clock.now()}
    for statement in (
        "UPDATE signal SET name = %(evil)s || id WHERE unit = %(evil)s",  # the wire refuses it: should it ever not
        "UPDATE device SET tags = ARRAY [%(evil)s, 'a'], status_reason = %(evil)s",
        "UPDATE device_release SET state = %(evil)s",
        "UPDATE incident SET kind = %(evil)s, detail = %(evil)s",
        "UPDATE rollout SET reason = %(evil)s, created_by = %(evil)s",
        "UPDATE rollout_device SET reason = %(evil)s",
        "UPDATE run SET error = %(evil)s, stage = %(evil)s",
        "UPDATE model SET gate = jsonb_set(gate, '{reason}', to_jsonb(%(evil)s::text))",
        """INSERT INTO label (machine, time, kind, source, detail, added)
           SELECT id, %(now)s, 'maintenance', %(evil)s,
                  jsonb_build_object('note', %(evil)s::text, 'fault', %(evil)s::text, 'verdict', %(evil)s::text), %(now)s
             FROM machine""",
    ):
        hub.database.execute(statement, told)


class _Elements(HTMLParser):
    """What a page is made of, as a browser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


def _pages(hub: Hub) -> list[str]:
    rollout = hub.database.row("SELECT id FROM rollout")
    assert rollout
    text = quote(EVIL)
    return [
        *("/", f"/?text={text}", f"/?class={text}", f"/?site={text}", "/devices", f"/devices?profile={text}"),
        *(
            "/machines/lathe",
            f"/machines/lathe?signals={text}",
            "/machines/lathe/now",
            "/machines/lathe/history",
        ),
        *("/machines/pump-1", f"/machines/pump-1?span={text}", f"/machines/pump-1?use_case={text}"),
        *(
            "/devices/liar",
            "/devices/cell-3",
            "/devices/liar/retire",
            "/devices/liar/token",
            f"/enrol?site={text}",
        ),
        *("/models", "/models/motor-health/2", "/models/motor-health/2/what-if", "/rollouts"),
        *(
            f"/rollouts/{rollout['id']}",
            f"/search?text={text}",
            f"/search/hits?text={text}",
            "/people",
            "/account",
        ),
        *(
            f"/machines/{text}",
            f"/devices/{text}",
            f"/rollouts/{text}",
            f"/login?next=/{text}",
            f"/open?link={text}",
        ),
    ]


def test_what_devices_and_people_say_is_shown_as_text(client: FlaskClient, hub: Hub, liar: Sender) -> None:
    _say_the_rest(hub)
    told = 0
    for path in _pages(hub):
        answer = client.get(path)
        assert answer.status_code in (200, 400, 403, 404, 409), (path, answer.status_code)
        seen = _Elements(answer.text)
        assert "x-pwned" not in seen.names, path
        assert not [name for name in seen.attributes if name.startswith("on")], path
        assert "49" not in re.findall(r"&#39;&amp;(.{2})", answer.text), (
            path
        )  # no template of theirs is filled in
        told += AS_TEXT in answer.text
    assert told >= 18  # it is there to be seen: on most of these pages


def test_what_programs_are_told_is_no_page(client: FlaskClient, liar: Sender) -> None:
    for path in ("series", "predictions", "live"):
        answer = client.get(
            f"/api/v1/machines/lathe/{path}", query_string={"use_case": EVIL, "signals": EVIL}
        )
        assert answer.mimetype == "application/json", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("field", ["name", "site", "profile", "zone"])
def test_no_device_and_no_site_is_made_under_a_name_that_is_markup(hub: Hub, field: str) -> None:
    fields = {"name": "press-1", "site": "lyon", "profile": "generic", "zone": "UTC", field: EVIL}
    authority = Authority.of(hub.config.state_dir).ensure()
    with pytest.raises(HubError):
        devices.add_all(hub.database, authority, [NewDevice(**fields)], now=hub.clock.now())


@pytest.mark.browser
@pytest.mark.slow
def test_in_a_browser_nothing_of_it_runs(
    app: Flask,
    base: str,
    client: FlaskClient,
    hub: Hub,
    liar: Sender,
) -> None:
    """With the scripts that draw charts, suggest while somebody types and replace parts of pages."""
    _say_the_rest(hub)
    said: list[str] = []
    with chromium() as browser:
        page = page_of(browser, client, base, said)
        page.on("dialog", lambda dialog: said.append(dialog.message))
        for path in ("/machines/lathe?span=1h", "/machines/pump-1", "/devices/liar", "/", "/rollouts"):
            page.goto(base + path)
            page.wait_for_selector("[data-pulse=on]")
            if path.startswith("/machines"):
                page.locator("[data-chart=series] .chart h3").first.wait_for()
            if "pump-1" in path:
                page.locator("#why p:not(.empty)").first.wait_for()
            page.locator("#search").fill("<x-p")
            page.locator("#search-hits p").first.wait_for()
            assert page.locator("x-pwned, [onclick]").count() == 0, path
            assert page.locator("body").get_by_text("<x-pwned").count(), path
    assert said == []
