"""Captures at the console: listed, shown with names for their lines, compared, asked for; and what cannot be, in words."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from urllib.parse import urlencode

import numpy as np
import pytest
from flask.testing import FlaskClient

from cloud_hub.console.here import SQL
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows import capturing
from cloud_hub.hub import Hub
from cloud_hub.store import captures
from simulators.motor_pump_traits import RATED_SPEED
from simulators.motor_pump_vibration import RATE_HZ, WINDOW
from tests.console.console_captures import add_capture, add_waveforms, windows
from tests.console.console_people import Browser, token
from tests.console.console_seed import seed
from wire.clock import to_us

MACHINE = "/machines/pump-1"
PAGE = f"{MACHINE}/captures"
API = f"/api/v1{PAGE}"


@pytest.fixture
def taken(hub: Hub) -> list[datetime]:
    """When pump-1 was captured: struck and alarmed, then a sound one of a week ago."""
    seed(hub)
    add_waveforms(hub, "pump-1")
    now = hub.clock.now().replace(microsecond=123)
    times = [now - timedelta(minutes=5), now - timedelta(days=7)]
    add_capture(hub, "pump-1", times[0], windows(0.8, 1), why="alarm")
    add_capture(hub, "pump-1", times[1], windows(0.0, 2))
    return times


def page_of(time: datetime, **link: object) -> str:
    return f"{PAGE}/{to_us(time)}" + (f"?{urlencode(link)}" if link else "")


def text(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text[:2000]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def ask(client: FlaskClient) -> str:
    sent = client.post(PAGE, data={"csrf": token(client, MACHINE)})
    assert sent.status_code == 303
    assert sent.location == f"{MACHINE}#h-captures"
    return text(client, MACHINE)


def test_a_machines_page_lists_its_captures_and_says_what_one_is_where_there_is_none(
    client: FlaskClient, hub: Hub, taken: list[datetime]
) -> None:
    shown = client.get(MACHINE).text
    assert [f"{PAGE}/{to_us(time)}" in shown for time in taken] == [True, True]
    assert "vibration_x, vibration_y" in shown
    assert "raw windows" not in text(client, "/machines/pump-2"), "a machine that has no waveforms"
    add_waveforms(hub, "pump-3")
    assert "No capture yet." in text(client, "/machines/pump-3")
    listed = text(client, PAGE)
    assert "1–2 of 2 captures" in listed
    assert "No capture yet." in text(client, "/machines/pump-3/captures")
    assert "No capture yet." in text(client, "/machines/pump-3/captures/newest")


def test_the_highest_line_of_a_struck_outer_race_is_named_so(
    client: FlaskClient, taken: list[datetime]
) -> None:
    shown = client.get(page_of(taken[0], of="envelope")).text
    (first, *_) = re.findall(r"<td>(?:<b>([^<]*)</b>)?.*?</td></tr>", shown)
    assert first == "BPFO"
    told = text(client, page_of(taken[0]))
    assert f"{RATED_SPEED:.0f} rpm" in told
    assert "m/s²" in told
    assert "4096 values at 12800 Hz" in told
    assert "is assumed" not in told


def test_what_names_lines_is_said_where_it_is_missing(client: FlaskClient, hub: Hub) -> None:
    seed(hub)
    add_waveforms(hub, "pump-2", bearing=False)
    now = hub.clock.now()
    add_capture(hub, "pump-2", now - timedelta(days=400), windows(0.8, 1), speed=False)
    add_capture(hub, "pump-2", now - timedelta(minutes=1), windows(0.8, 1))
    old, new = (f"/machines/pump-2/captures/{to_us(now - each)}" for each in
                (timedelta(days=400), timedelta(minutes=1)))  # fmt: skip
    assert "Without a speed near it no line can be named." in text(client, old)
    assert "no bearing is declared, so a 6205 is assumed" in text(client, new)
    hub.database.execute("UPDATE machine SET feature_set = ''")
    assert "only the shaft's lines are named" in text(client, new)
    hub.database.execute(
        """UPDATE signal_table SET body = jsonb_set(body, '{machines,0,bearing}',
               '{"balls": 2, "ball_mm": 8, "pitch_mm": 39, "contact_deg": 0}')"""
    )
    assert "The declared bearing cannot be: balls of the bearing" in text(client, new)


def test_programs_get_every_value_its_spectrum_and_what_it_is_compared_with(
    client: FlaskClient, taken: list[datetime]
) -> None:
    listed = client.get(API).json
    assert [each["id"] for each in listed["items"]] == [to_us(time) for time in taken]
    assert (listed["total"], listed["items"][0]["why"]) == (2, ["alarm"])
    query = {"signal": "vibration_y", "of": "envelope", "with": to_us(taken[1])}
    told = client.get(f"{API}/{to_us(taken[0])}?{urlencode(query)}").json
    np.testing.assert_allclose(told["values"], windows(0.8, 1)[1], atol=1e-4)
    assert (told["rate_hz"], told["unit"], told["of"]) == (RATE_HZ, "m/s2", "envelope")
    assert told["step_hz"] == RATE_HZ / WINDOW
    assert told["speed_hz"] == pytest.approx(RATED_SPEED / 60)
    assert {"shaft", "BPFO", "BPFI", "2× BSF", "BSF", "FTF"} <= {line["short"] for line in told["lines"]}
    assert told["peaks"][0]["line"]["short"] == "BPFO"
    assert max(told["amplitudes"]) > 5 * max(told["other"]["amplitudes"]), "the sound one is quiet"


def test_links_carry_what_somebody_chose(client: FlaskClient, taken: list[datetime]) -> None:
    link = {
        "signal": "vibration_y",
        "of": "envelope",
        "scale": "log",
        "with": to_us(taken[1]),
        "hz": "10-400",
    }
    shown = unescape(client.get(page_of(taken[0], **link)).text)
    assert f'data-url="{API}/{to_us(taken[0])}?' in shown
    assert 'data-scale="log"' in shown
    (other,) = re.findall(r'href="([^"]*signal=vibration_x[^"]*)"', shown)
    for name, value in (link | {"signal": "vibration_x"}).items():
        assert f"{name}={value}" in other
    assert f'<option value="{to_us(taken[1])}" selected>' in shown
    assert "bad" not in unescape(client.get(page_of(taken[0], hz="bad<script>")).text.split("drawings")[1])


def test_what_there_is_not_is_said_in_words(client: FlaskClient, taken: list[datetime]) -> None:
    for path, status, says in (
        (f"{PAGE}/1", 404, "no capture named 'pump-1 at 1970-01-01 00:00:00 UTC'"),
        (f"{PAGE}/{'9' * 17}", 404, "no capture"),
        (f"{PAGE}/{'9' * 9000}", 404, "no capture"),
        (f"{PAGE}/-5", 404, "no capture"),
        (f"{PAGE}/now", 404, "no capture"),
        (f"{PAGE}?page=0", 400, "Expected a page number"),
        ("/machines/pump-9/captures", 404, "pump-9"),
        ("/machines/pump-9/captures/5", 404, "pump-9"),
    ):
        assert says in text(client, path, status)
        answer = client.get(f"/api/v1{path}")
        assert answer.status_code == status
        assert answer.json["error"]


def test_choices_that_are_none_are_refused_in_words(client: FlaskClient, taken: list[datetime]) -> None:
    for link, says in (
        ({"signal": "speed"}, "Expected a signal of this capture, vibration_x, vibration_y; got 'speed'."),
        ({"of": "cepstrum"}, "Expected spectrum or envelope, got 'cepstrum'."),
        ({"scale": "cubic"}, "Expected linear or log, got 'cubic'."),
    ):
        assert says in text(client, page_of(taken[0], **link), 400)
    shown = text(client, page_of(taken[0], **{"with": "17"}), 404)
    assert "is not kept any more, or never was; this one is shown alone" in shown
    assert "Highest peaks" in shown


def test_asking_is_done_once_said_and_written_down(
    client: FlaskClient, hub: Hub, taken: list[datetime]
) -> None:
    shown = ask(client)
    assert "cell-1 was asked for the next windows of pump-1" in shown
    assert "asked for by mira" in shown
    found = captures.request(hub.database, "pump-1")
    assert "already and is not here yet: nothing was changed" in ask(client)
    assert captures.request(hub.database, "pump-1") == found
    acts = hub.database.rows("SELECT actor, subject, detail FROM audit WHERE action = 'capture.ask'")
    (act,) = acts
    assert (act["actor"], act["subject"], act["detail"]["command"]) == ("mira", "pump-1", found.id)
    hub.database.execute("UPDATE capture_request SET answered = asked")
    assert "asked for by" not in text(client, MACHINE)
    assert "was asked for the next windows" in ask(client), "an answered one may be followed by another"
    hub.database.execute("UPDATE device SET online = false")
    hub.database.execute("UPDATE capture_request SET answered = asked")
    assert "cell-1 is offline: it answers when it comes back, within a day." in ask(client)


def test_one_that_nobody_answered_for_a_day_may_be_asked_for_anew(hub: Hub, taken: list[datetime]) -> None:
    first = capturing.ask(hub, "pump-1", actor="mira")
    hub.database.execute("UPDATE capture_request SET asked = asked - interval '25 hours'")
    second = capturing.ask(hub, "pump-1", actor="noor")
    assert (second.again, second.command != first.command) == (False, True)


def test_nobody_is_asked_who_cannot_answer(client: FlaskClient, hub: Hub, taken: list[datetime]) -> None:
    with pytest.raises(NotFoundError):
        capturing.ask(hub, "pump-9", actor="mira")
    with pytest.raises(ConflictError, match="pump-2 has no waveform signal"):
        capturing.ask(hub, "pump-2", actor="mira")
    hub.database.execute("UPDATE device SET retired = now()")
    sent = client.post(PAGE, data={"csrf": token(client, MACHINE)})
    assert sent.status_code == 409
    assert "was retired: nothing answers" in unescape(sent.text)


def test_a_command_reaches_whoever_listens_for_its_device(hub: Hub, taken: list[datetime]) -> None:
    with hub.database.connect() as listening:
        listening.execute("LISTEN andon_command")
        told = capturing.ask(hub, "pump-1", actor="mira")
        (notice,) = listening.notifies(timeout=5, stop_after=1)
    assert f'"id": "{told.command}"' in notice.payload
    assert '"device": "cell-1"' in notice.payload


def test_a_viewer_looks_and_does_not_ask_and_elsewhere_nothing_is_there(
    enter: Callable[..., Browser], hub: Hub, taken: list[datetime]
) -> None:
    viewer = enter("vic", "viewer@lyon").client
    assert "Highest peaks" in text(viewer, page_of(taken[0]))
    assert "Take a capture now" not in text(viewer, MACHINE)
    assert viewer.post(PAGE, data={"csrf": token(viewer, MACHINE)}).status_code == 403
    assert captures.request(hub.database, "pump-1") is None
    hub.database.execute("INSERT INTO site (name) VALUES ('oslo')")
    stranger = enter("osk", "operator@oslo").client
    for path in (PAGE, f"{PAGE}/newest", page_of(taken[0]), API, f"{API}/{to_us(taken[0])}"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(PAGE, data={"csrf": token(stranger, "/")}).status_code == 404


def test_the_pulse_tells_of_captures_and_requests(hub: Hub, taken: list[datetime]) -> None:
    def mark() -> str:
        return str(hub.database.row(SQL["pulse"])["captures"])

    marks = [mark()]
    capturing.ask(hub, "pump-1", actor="mira")
    marks.append(mark())
    add_capture(hub, "pump-1", hub.clock.now(), windows(0.0, 3))
    marks.append(mark())
    assert len(set(marks)) == 3
