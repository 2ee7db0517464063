"""Quarantine on pages: why, what it holds, one's own sites alone, and another try that is asked for once."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from typer.testing import CliRunner

from cloud_hub.hub import Hub, person
from cloud_hub.ingest.replays import replay_next
from cloud_hub.store import quarantine_cli
from cloud_hub.store.reasons import Reason, explain
from tests.console.console_people import Browser
from tests.console.data.data_seed import bad_samples, keep, seed_quarantine
from tests.ingest.ingest_world import Process, Sender, table_of

Enter = Callable[..., Browser]
Kept = dict[str, int]

PAGE = "/data/quarantine"
HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J"


def listed(text: str) -> list[int]:
    """The numbers of the messages that a page lists, in its order."""
    return [int(number) for number in re.findall(r'id="q-(\d+)"', text)]


def plain(text: str) -> str:
    """What a reader sees of ``text``."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def replays(hub: Hub) -> list[dict[str, object]]:
    return hub.database.rows(
        "SELECT actor, subject, detail FROM audit WHERE action = 'quarantine.replay' ORDER BY id"
    )


def test_what_waits_is_told_by_reason_with_what_to_do_and_listed_newest_first(
    client: FlaskClient, kept: Kept
) -> None:
    text = client.get(PAGE).text
    for reason in ("NotFinite", "WrongWidth", "UnknownRelease", "NotABatch", "SequenceReused"):
        assert " ".join(re.sub("`", " ", explain(reason)).split()) in plain(text).replace(" ;", ";").replace(
            " .", "."
        )
    assert listed(text) == sorted(kept.values(), reverse=True)
    assert re.search(r"NotABatch.*?<td class=\"num\">41</td>", text, re.DOTALL)  # the same bytes, 41 times
    assert f"{len(kept)} messages" in text


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("reason=NotFinite", ("elsewhere", "nan")),
        ("reason=NotFinite&device=cell-1", ("nan",)),
        ("device=ghost", ("garbage",)),  # no device, and still its name in the topic
        ("device=cell-2", ("status", "reused")),
        ("state=stored", ()),
        ("since=1h&device=cell-3", ("elsewhere",)),
        ("reason=TooLate", ()),
    ],
)
def test_a_link_carries_what_is_listed(
    client: FlaskClient, kept: Kept, asked: str, names: tuple[str, ...]
) -> None:
    text = client.get(f"{PAGE}?{asked}").text
    assert listed(text) == [kept[name] for name in names]
    assert ("No message matches" in text) == (not names)


def test_what_came_before_the_span_is_not_listed(client: FlaskClient, hub: Hub, kept: Kept) -> None:
    hub.database.execute(
        "UPDATE quarantine SET received = received - interval '2 hours' WHERE reason = 'NotABatch'"
    )
    assert kept["garbage"] not in listed(client.get(f"{PAGE}?since=1h").text)
    assert kept["garbage"] in listed(client.get(f"{PAGE}?since=1d").text)


@pytest.mark.parametrize(
    "asked", ["state=lost", "since=9e99", "page=0", "page=x", "reason=" + "x" * 101, "device=%00"]
)
def test_an_absurd_filter_is_refused_in_words(client: FlaskClient, kept: Kept, asked: str) -> None:
    answer = client.get(f"{PAGE}?{asked}")
    assert answer.status_code == 400
    assert "xpected" in answer.text


def test_a_message_tells_what_it_holds_as_far_as_it_can_be_read(client: FlaskClient, kept: Kept) -> None:
    nan = plain(client.get(f"{PAGE}/{kept['nan']}").text)
    assert "flow samples 3 31 33.5 1" in nan  # three, from 31 to 33.5, one of them not finite
    assert "3 samples in 1 series" in nan
    assert "4400 of epoch 5" in nan
    wide = plain(client.get(f"{PAGE}/{kept['wide']}").text)
    assert "pump-1, trend/1 rows 2" in wide
    assert "3 h alarm" in plain(client.get(f"{PAGE}/{kept['alarm']}").text)
    garbage = client.get(f"{PAGE}/{kept['garbage']}").text
    assert "no batch that can be read" in garbage
    assert "0000  00 3c 62 3e ff 68 69 0a  .&lt;b&gt;.hi." in garbage


def test_what_no_table_names_is_told_by_its_number(client: FlaskClient, hub: Hub) -> None:
    number = keep(hub, "cell-2", "UnknownTable", "not here yet", bad_samples(hub.clock.now_us()), sequence=3)
    assert "signal 0 samples 3" in plain(client.get(f"{PAGE}/{number}").text)


@pytest.mark.parametrize("number", ["0", "999999", "9223372036854775807", "9223372036854775808", "x", "-1"])
def test_an_unknown_message_is_said_in_words(client: FlaskClient, kept: Kept, number: str) -> None:
    answer = client.get(f"{PAGE}/{number}")
    assert answer.status_code == 404
    assert "Not here" in answer.text


def test_nothing_that_a_device_sends_becomes_code(client: FlaskClient, hub: Hub) -> None:
    kept = seed_quarantine(hub, hostile=HOSTILE)
    for path in (PAGE, f"{PAGE}?device={HOSTILE[:40]}", *(f"{PAGE}/{number}" for number in kept.values())):
        text = client.get(path).text
        assert "<script>alert" not in text, path
        assert "\x1b" not in text, path
    assert "&lt;script&gt;alert(1)" in client.get(f"{PAGE}/{kept['garbage']}").text


def test_what_is_elsewhere_or_of_nobody_is_not_there(
    lyon: FlaskClient, client: FlaskClient, kept: Kept
) -> None:
    text = lyon.get(PAGE).text
    hidden = {kept["elsewhere"], kept["garbage"]}
    assert set(listed(text)) == set(kept.values()) - hidden
    for name in ("cell-3", "tours", "NotABatch", "ghost", "nobody known"):
        assert name not in text
    assert f"{len(kept) - 2} messages" in text
    assert listed(lyon.get(f"{PAGE}?device=cell-3").text) == []
    for number in hidden:
        there, nowhere = lyon.get(f"{PAGE}/{number}"), lyon.get(f"{PAGE}/999999")
        assert there.status_code == nowhere.status_code == 404
        said = [re.findall(r"<p>(There is no .*?)</p>", each.text) for each in (there, nowhere)]
        assert said[0] == [text.replace("999999", str(number)) for text in said[1]] != []
        assert client.get(f"{PAGE}/{number}").status_code == 200
    assert "NotABatch" not in lyon.get("/data").text


@pytest.mark.parametrize("roles", ["viewer", "operator", "approver", "engineer@lyon"])
def test_who_may_not_is_offered_no_replay_and_refused(enter: Enter, hub: Hub, kept: Kept, roles: str) -> None:
    browser = enter("ben", roles)
    for page in (f"{PAGE}?reason=NotFinite", f"{PAGE}/{kept['nan']}"):
        assert "Replay" not in browser.client.get(page).text
    for path in (f"{PAGE}/{kept['nan']}/replay", f"{PAGE}/replay"):
        answer = browser.post("/account", path, reason="NotFinite")
        assert answer.status_code == 403
    assert hub.database.row("SELECT count(*) AS n FROM quarantine WHERE replay IS NOT NULL") == {"n": 0}
    assert replays(hub) == []


def test_another_try_is_asked_for_once_and_ingest_makes_it(enter: Enter, hub: Hub) -> None:
    sender, process = Sender("press-01", table=table_of("press")), Process(hub.database)
    process.store(sender.arrival(sender.samples([1.0, 2.0])))
    number = hub.database.row("SELECT id FROM quarantine")["id"]
    hub.database.execute(
        """INSERT INTO device (name, site, profile, added, enrolled)
           SELECT 'press-01', id, 'generic', %(now)s, %(now)s FROM site WHERE name = 'lyon'""",
        {"now": hub.clock.now()},
    )
    process.born(sender)
    browser, page = enter("mira", "engineer"), f"{PAGE}/{number}"
    assert "if not, it stays, with its new reason" in browser.client.get(page).text
    before = hub.database.row("SELECT count(*) AS n FROM sample")["n"]
    for told in ("is tried again", "asked for already"):
        assert browser.post(page, f"{page}/replay").status_code == 303
        text = browser.client.get(page).text
        assert told in text
        assert "Another try was asked for and is made" in text
    assert replays(hub) == [{"actor": "mira", "subject": str(number), "detail": {}}]
    with hub.database.transaction() as connection:
        assert replay_next(connection, process.tables, process.times()).rows == 1
    assert hub.database.row("SELECT count(*) AS n FROM sample")["n"] == before + 2
    assert "stored after all" in browser.client.get(page).text
    answer = browser.post("/data/make", f"{page}/replay")
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text
    assert len(replays(hub)) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("reused", "may have been counted under its own number"),
        ("status", "It is no batch"),
    ],
)
def test_what_another_try_cannot_help_offers_none(
    client: FlaskClient, kept: Kept, name: str, why: str
) -> None:
    text = client.get(f"{PAGE}/{kept[name]}").text
    assert why in text
    assert "Replay…" not in text


def test_all_of_a_reason_are_asked_for_together_of_one_device_or_of_all(
    enter: Enter, hub: Hub, kept: Kept
) -> None:
    browser, page = enter("mira", "engineer"), f"{PAGE}?reason=NotFinite"
    assert "from every device" in browser.client.get(page).text
    browser.post(page, f"{PAGE}/replay", reason="NotFinite", device="cell-1")
    assert "One message is tried again" in browser.client.get(page).text
    assert [row["id"] for row in hub.database.rows("SELECT id FROM quarantine WHERE replay IS NOT NULL")] == [
        kept["nan"]
    ]
    browser.post(page, f"{PAGE}/replay", reason="NotFinite")
    assert "One message is tried again" in browser.client.get(page).text  # cell-1's was asked for before
    browser.post(page, f"{PAGE}/replay", reason="NotFinite")
    assert "asked for already" in browser.client.get(page).text
    told = [(row["subject"], row["detail"]) for row in replays(hub)]
    assert told == [
        ("NotFinite", {"device": "cell-1", "messages": 1}),
        ("NotFinite", {"device": None, "messages": 1}),
    ]
    browser.post(page, f"{PAGE}/replay", reason="Novelty")
    assert "Nothing waits for that" in browser.client.get(page).text
    refused = browser.post(page, f"{PAGE}/replay", reason=Reason.SEQUENCE_REUSED)
    assert refused.status_code == 409
    assert "two devices share one outbox" in refused.text


def test_the_command_line_asks_by_the_same_call_and_goes_into_the_same_chain(
    enter: Enter, hub: Hub, kept: Kept, state_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_cli, "PATIENCE_S", 0.1)  # no ingest runs here
    config = state_root / "hub.toml"
    config.write_text(f'database_url = "{hub.config.database_url}"\n')
    for told in (["replay", str(kept["nan"])], ["replay", "--reason", "NotFinite"]):
        answer = CliRunner().invoke(quarantine_cli.quarantine, [*told, "--config", str(config)])
        assert answer.exit_code == 1
        assert "an ingest process runs" in answer.output
    acts = [(row["actor"], row["subject"], row["detail"]) for row in replays(hub)]
    everyone = {"device": None, "messages": 1}  # cell-3's; the other was asked for before
    assert acts == [(person(), str(kept["nan"]), {}), (person(), "NotFinite", everyone)]
    page = f"{PAGE}/{kept['nan']}"
    assert "Another try was asked for" in enter("ben", "engineer").client.get(page).text


def test_a_hundred_thousand_messages_stay_paged(client: FlaskClient, hub: Hub) -> None:
    hub.database.execute(
        """INSERT INTO quarantine (device, topic, epoch, sequence, reason, detail, payload, sha256, bytes, received)
           SELECT device.id, 'andon/v1/' || device.name || '/batch', 5, n, CASE WHEN n %% 3 = 0 THEN 'TooLate'
                  ELSE 'NotFinite' END, 'x', 'x', 'x', 1, %(now)s
             FROM generate_series(1, 100000) AS n JOIN device ON device.name = 'cell-' || 1 + n %% 3""",
        {"now": hub.clock.now()},
    )
    text = client.get(f"{PAGE}?page=2&reason=TooLate").text
    assert len(listed(text)) == 50
    assert "51–100 of 33333 messages" in text
    assert "page=667" in text
    assert listed(client.get(f"{PAGE}?page=9999").text)[-1] == min(
        row["id"] for row in hub.database.rows("SELECT min(id) AS id FROM quarantine")
    )
    assert "There is no page 9999" in client.get(f"{PAGE}?page=9999").text
    assert "100\u202f000" in client.get("/data").text
