"""A dataset is asked for by a form, made by a worker's child, and its outcome shown: also that it was too bad."""

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from importlib import resources

import pytest
from flask.testing import FlaskClient

from cloud_hub.dataset.snapshot import Dataset
from cloud_hub.errors import ConflictError
from cloud_hub.flows import snapshots, snapshotting
from cloud_hub.flows.runs import TakenError
from cloud_hub.hub import Hub
from cloud_hub.jobs import queue
from cloud_hub.jobs.child import run_child
from cloud_hub.jobs.tasks import build
from tests.console.conftest import Later
from tests.console.console_people import PASSWORD, Browser, token
from tests.stored_machines import SCALARS

Enter = Callable[..., Browser]

USE_CASE = "turbofan-rul"
MAKE = "/data/make"


@pytest.fixture
def small(hub: Hub) -> Iterator[None]:
    """A use case of the hub's own for the engines that are there, which have two signals."""
    text = resources.files("models").joinpath(f"use_cases/{USE_CASE}.toml").read_text()
    signals = ", ".join(f'{{ name = "{name}", unit = "{unit}" }}' for name, unit in SCALARS)
    for pattern, instead in (
        (r"signals = \[\n.*?\n\]", f"signals = [{signals}]"),
        (r"\[conditions\]\n.*?\n\n", ""),
        (r'feature_set = "[^"]+"', 'feature_set = "trend/1"'),
        (r"least_failures = \d+", "least_failures = 6"),
    ):
        text, changed = re.subn(pattern, instead, text, count=1, flags=re.DOTALL)
        assert changed, pattern
    hub.config.use_cases.mkdir(exist_ok=True)
    file = hub.config.use_cases / f"{USE_CASE}.toml"
    file.write_text(text)
    yield
    file.unlink()


def told(hub: Hub) -> list[tuple[object, ...]]:
    rows = hub.database.rows("SELECT use_case, state, dataset, asked_by FROM snapshot ORDER BY id")
    return [tuple(row.values()) for row in rows]


def acts(hub: Hub) -> list[tuple[object, ...]]:
    rows = hub.database.rows(
        "SELECT actor, action, correlation FROM audit WHERE action LIKE 'snapshot.%' ORDER BY id"
    )
    return [tuple(row.values()) for row in rows]


def jobs(hub: Hub) -> list[dict[str, object]]:
    return hub.database.rows("SELECT task_name, args FROM procrastinate_jobs WHERE task_name = 'snapshot'")


def test_a_dataset_is_asked_for_once_and_what_will_happen_is_said_first(enter: Enter, hub: Hub) -> None:
    browser = enter("mira", "engineer")
    assert "Nothing is deleted or changed" in browser.client.get(f"{MAKE}?use_case={USE_CASE}").text
    assert browser.post(MAKE, MAKE, use_case=USE_CASE, since="2026-01-31").status_code == 303
    page = browser.client.get("/data").text
    assert "is being made; it appears below" in page
    assert "rows from 2026-01-31 on" in page
    again = browser.post(MAKE, MAKE, use_case=USE_CASE, since="2026-02-01")
    assert again.status_code == 409
    assert "being made already: mira asked for it" in again.text
    assert 'value="2026-02-01"' in again.text
    assert f"<option selected>{USE_CASE}</option>" in again.text
    assert told(hub) == [(USE_CASE, "queued", None, "mira")]
    (job,) = jobs(hub)
    (number,) = (row["id"] for row in hub.database.rows("SELECT id FROM snapshot"))
    assert job["args"] == {"number": str(number)}
    assert [act[:2] for act in acts(hub)] == [("mira", "snapshot.request")]


def test_a_worker_s_child_makes_it_and_the_page_leads_there(
    enter: Enter, hub: Hub, small: None, datasets: list[Dataset]
) -> None:
    """The same contents as before, so the dataset there is."""
    number = snapshots.request(hub, USE_CASE, since=None, actor="mira")
    stopping = asyncio.Event()
    assert queue.SNAPSHOT in build(hub, stopping).tasks
    asyncio.run(
        run_child(queue.SNAPSHOT, str(number), config=hub.config, clock=str(hub.clock), stopping=stopping)
    )
    assert told(hub) == [(USE_CASE, "done", datasets[1].id, "mira")]
    page = enter("ben", "viewer").client.get("/data").text
    assert f'href="/data/datasets/{datasets[1].id}"' in page
    (asked, done) = acts(hub)
    assert (asked[:2], done[:2]) == (("mira", "snapshot.request"), ("job:snapshot", "snapshot.done"))
    assert asked[2] == done[2] != ""
    with pytest.raises(TakenError, match="made already"):
        snapshotting.execute(hub, str(number))
    assert snapshots.request(hub, USE_CASE, since=None, actor="mira") > number  # another may follow


def test_what_is_too_bad_to_learn_from_says_why(enter: Enter, hub: Hub) -> None:
    """The use case as it ships asks for 24 signals, and the engines have two."""
    number = snapshots.request(hub, USE_CASE, since=None, actor="mira")
    snapshotting.execute(hub, str(number))
    assert told(hub) == [(USE_CASE, "failed", None, "mira")]
    text = unescape(enter("ben", "viewer").client.get("/data").text)
    assert "expected machines with the signals of turbofan-rul" in text
    assert "engine-0" in text
    one_site = unescape(enter("lea", "viewer@lyon").client.get("/data").text)
    assert "It failed; the reason may name machines" in one_site
    assert "engine-0" not in one_site
    assert [act[:2] for act in acts(hub)] == [("mira", "snapshot.request"), ("job:snapshot", "snapshot.fail")]


def test_an_attempt_that_was_taken_over_writes_nothing(hub: Hub, small: None) -> None:
    number = snapshots.request(hub, USE_CASE, since=None, actor="mira")
    first, second = (hub.database.row(snapshots.SQL["own"], {"id": number}) for _ in range(2))
    assert first
    assert second
    assert (first["attempt"], second["attempt"]) == (1, 2)
    snapshots.fail(hub, str(number), "too late", attempt=1)
    with pytest.raises(TakenError, match="attempt 1"):
        snapshotting.make(hub, first)
    assert told(hub) == [(USE_CASE, "running", None, "mira")]
    snapshots.fail(hub, str(number), "given up")
    assert told(hub) == [(USE_CASE, "failed", None, "mira")]
    with pytest.raises(TakenError, match="attempt 2"):
        snapshotting.make(hub, second)
    assert [act[1] for act in acts(hub)] == ["snapshot.request", "snapshot.fail"]


@pytest.mark.parametrize(
    ("use_case", "since", "status", "why"),
    [
        ("nope", "", 400, "expected a use case out of"),
        ("", "", 400, "expected a use case out of"),
        ("../hub", "", 400, "expected a use case out of"),
        (USE_CASE, "yesterday", 400, "expected a day such as 2026-01-31"),
        (USE_CASE, "2026-02-30", 400, "expected a day such as 2026-01-31"),
        (USE_CASE, "9999-12-31", 409, "would be left out"),
    ],
)
def test_a_form_with_a_mistake_names_it_and_keeps_what_was_typed(
    enter: Enter, hub: Hub, *, use_case: str, since: str, status: int, why: str
) -> None:
    answer = enter("mira", "engineer").post(MAKE, MAKE, use_case=use_case, since=since)
    assert answer.status_code == status
    assert why in unescape(answer.text)
    assert f'value="{since}"' in answer.text
    assert "Nothing was asked for" in answer.text
    assert (told(hub), jobs(hub), acts(hub)) == ([], [], [])


@pytest.mark.parametrize("roles", ["viewer", "operator", "approver", "engineer@lyon"])
def test_who_may_not_is_offered_nothing_and_refused(enter: Enter, hub: Hub, roles: str) -> None:
    browser = enter("ben", roles)
    assert MAKE not in browser.client.get("/data").text
    assert browser.client.get(MAKE).status_code == 403
    assert browser.post("/account", MAKE, use_case=USE_CASE).status_code == 403
    assert told(hub) == []


def test_a_form_of_a_session_that_ended_comes_back_as_it_was_typed(
    enter: Enter, hub: Hub, later: Later
) -> None:
    browser = enter("mira", "engineer")
    csrf = token(browser.client, MAKE)
    later.ahead += timedelta(hours=2)
    form = {"csrf": csrf, "use_case": USE_CASE, "since": "2026-03-04"}
    door = browser.client.post(MAKE, data=form)
    assert door.status_code == 401
    fields = {name: unescape(text) for name, text in re.findall(r'name="(\w+)" value="([^"]*)"', door.text)}
    answer = browser.client.post("/login", data=fields | {"name": "mira", "password": PASSWORD})
    page = browser.client.get(answer.headers["Location"]).text
    assert 'value="2026-03-04"' in page
    assert f"<option selected>{USE_CASE}</option>" in page
    assert told(hub) == []


def test_a_day_that_has_not_come_leaves_nothing_to_make_one_of(hub: Hub) -> None:
    with pytest.raises(ConflictError, match="none is newer yet"):
        snapshots.request(hub, USE_CASE, since=hub.clock.now() + timedelta(days=1), actor="mira")


def test_the_overview_of_somebody_who_makes_none_leads_nowhere(client: FlaskClient) -> None:
    assert f'href="{MAKE}?use_case=motor-health"' in client.get("/data?use_case=motor-health").text
