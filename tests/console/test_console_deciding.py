"""People train, approve and refuse at the console: told beforehand what will happen, once, and on the record."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from tests.console.console_models import declare, grow
from tests.console.console_people import Browser, token
from tests.console.console_seed import seed

Enter = Callable[..., Browser]
PAGE = "/models/motor-health"


@pytest.fixture(autouse=True)
def rollout(hub: Hub) -> str:
    found = seed(hub)
    grow(hub)
    return found


def acts(hub: Hub, action: str) -> list[tuple[str, str]]:
    rows = hub.database.rows(
        "SELECT actor, subject FROM audit WHERE action = %(action)s ORDER BY id", {"action": action}
    )
    return [(row["actor"], row["subject"]) for row in rows]


def state(hub: Hub, version: int) -> str:
    row = hub.database.row("SELECT state FROM model WHERE version = %(version)s", {"version": version})
    assert row
    return str(row["state"])


def said(client: FlaskClient, path: str = PAGE) -> str:
    """What the next page says of what was done."""
    return " ".join(re.findall(r'<p class="notice" role="status">(.*?)</p>', client.get(path).text))


def test_four_eyes_are_told_before_anybody_clicks_and_hold_after(enter: Enter, hub: Hub) -> None:
    declare(hub, "people = 2\nauthor_may = false")
    mira, ada = enter("mira", "approver"), enter("ada", "approver")
    before = mira.client.get(f"{PAGE}/5/approve").text
    assert "2 people have to approve it, and whoever asked for the training may not be the only one" in before
    assert "<b>You asked for its training</b>: your voice alone does not suffice." in before
    assert "it goes on waiting: 1 more person has to approve it (1 of 2)." in before
    assert mira.post(f"{PAGE}/5/approve", f"{PAGE}/5/approve").status_code == 303
    assert "Your yes is noted. 1 more person has to approve it (1 of 2)." in said(mira.client)
    again = mira.post(f"{PAGE}/5/approve", f"{PAGE}/5/approve")
    assert again.status_code == 303
    assert "You approved it before: nothing was changed." in said(mira.client)
    assert state(hub, 5) == "candidate"
    page = ada.client.get(f"{PAGE}/5/approve").text
    assert "So far: mira." in page
    assert "Your yes is the last one it takes" in page
    ada.post(f"{PAGE}/5/approve", f"{PAGE}/5/approve")
    assert "Approved: it is being bundled and signed." in said(ada.client)
    assert state(hub, 5) == "approved"
    assert acts(hub, "release.approve") == [("mira", "motor-health/5"), ("ada", "motor-health/5")]


def test_an_author_whose_word_suffices_nowhere_alone_is_told_so(enter: Enter, hub: Hub) -> None:
    declare(hub, "people = 1\nauthor_may = false")
    mira = enter("mira", "approver")
    assert (
        "You asked for its training: your voice alone does not suffice." in mira.client.get(f"{PAGE}/5").text
    )
    mira.post(f"{PAGE}/5/approve", f"{PAGE}/5/approve")
    assert state(hub, 5) == "candidate"


def test_against_the_gate_it_takes_a_reason_which_is_kept(client: FlaskClient, hub: Hub) -> None:
    path = f"{PAGE}/3/approve"
    assert "The gate has said no" in client.get(path).text
    form = {"csrf": token(client, path)}
    silent = client.post(path, data=form | {"override": "  "})
    assert silent.status_code == 400
    assert "say why it is approved all the same" in silent.text
    long = client.post(path, data=form | {"override": "x" * 501})
    assert long.status_code == 400
    assert "x" * 501 in long.text
    assert state(hub, 3) == "refused"
    assert client.post(path, data=form | {"override": "a drill"}).status_code == 303
    assert state(hub, 3) == "approved"
    page = client.get(f"{PAGE}/3").text
    assert "not passed, overridden" in page
    assert "against the gate: a drill" in page


def test_what_is_refused_stays_so_and_the_second_no_says_who_was_first(enter: Enter, hub: Hub) -> None:
    mira, bob = enter("mira", "admin"), enter("bob", "approver")
    path = f"{PAGE}/5/refuse"
    assert "Nobody can approve motor-health/5 any more" in mira.client.get(path).text
    form = {"csrf": token(mira.client, path)}
    theirs = {"csrf": token(bob.client, path)}
    for reason, words in (("  ", "Say why"), ("x" * 501, "this reason has 501")):
        answer = mira.client.post(path, data=form | {"reason": reason})
        assert answer.status_code == 400
        assert words in answer.text
    assert mira.client.post(path, data=form | {"reason": "a broken sensor"}).status_code == 303
    assert "is refused: nobody can approve it" in said(mira.client)
    assert bob.client.post(path, data=theirs | {"reason": "me too"}).status_code == 303
    assert "mira refused it before: nothing was changed." in said(bob.client)
    approving = bob.client.post(f"{PAGE}/5/approve", data=theirs)
    assert approving.status_code == 409
    assert "mira refused motor-health/5" in approving.text
    assert acts(hub, "release.refuse") == [("mira", "motor-health/5")]
    for page in (PAGE, f"{PAGE}/5", f"{PAGE}/5/lineage", f"{PAGE}/compare?left=5&right=2"):
        assert "a broken sensor" in mira.client.get(page).text, page
    for act in ("approve", "refuse"):
        assert "panel sheet" not in mira.client.get(f"{PAGE}/5/{act}").text
    released = mira.client.post(f"{PAGE}/2/refuse", data=form | {"reason": "too late"})
    assert released.status_code == 409
    assert "abort or undo its rollouts" in released.text


def test_a_publishing_that_failed_says_why_and_is_tried_again(client: FlaskClient, hub: Hub) -> None:
    path = f"{PAGE}/5/approve"
    form = {"csrf": token(client, path)}
    client.post(path, data=form)
    assert "is approved already, and is being bundled" in client.get(path).text
    hub.database.execute("DELETE FROM procrastinate_jobs")
    with hub.database.transaction() as connection:
        act = {"actor": "job:publish", "action": "release.publish-failed", "subject": "motor-health/5"}
        hub.record(connection, **act, detail={"error": "there are no signing keys yet"}, correlation="")
    assert "There are no signing keys yet." in client.get(f"{PAGE}/5").text
    assert "Try to publish it again" in client.get(path).text
    assert client.post(path, data=form).status_code == 303
    assert "It is tried once more to publish it." in said(client)
    row = hub.database.row(
        "SELECT count(*) AS jobs FROM procrastinate_jobs WHERE args ->> 'release' IS NOT NULL"
    )
    assert row == {"jobs": 1}


def test_a_training_is_asked_for_once_and_can_be_cancelled_once(client: FlaskClient, hub: Hub) -> None:
    page = client.get(f"{PAGE}/train").text
    assert "5 machines of class motor-pump with 1 logged failure" in page
    assert "It takes at least 6 lives that ended in a failure" in page
    mark = re.search(r'name="mark" value="(\w+)"', page)
    assert mark
    form = {"csrf": token(client, f"{PAGE}/train"), "mark": mark[1]}
    told = []
    for _ in range(2):
        assert client.post(f"{PAGE}/train", data=form).status_code == 303
        told.append(said(client))
    run = told[0].split()[0]
    assert told == [f"{run} is queued.", f"{run} was asked for by this form before: nothing more was queued."]
    assert client.post(f"{PAGE}/train", data=form | {"mark": "again"}).status_code == 400
    asked = [(actor, subject) for actor, subject in acts(hub, "retrain.request") if subject == run]
    assert asked == [("mira", run)]
    assert f"Cancel {run}" in client.get(PAGE).text
    for words in (f"{run} is cancelled.", "Nothing was changed"):
        client.post(f"{PAGE}/runs/{run}/cancel", data=form)
        assert words in said(client)
    assert acts(hub, "retrain.cancel") == [("mira", run)]


@pytest.mark.parametrize("role", ["viewer", "operator", "approver@lyon", "engineer@lyon"])
def test_who_may_not_decide_is_offered_nothing_and_refused_each_act(
    enter: Enter, hub: Hub, role: str
) -> None:
    browser = enter("eva", role)
    for page in (PAGE, f"{PAGE}/5"):
        text = browser.client.get(page).text
        for word in ("Approve…", "Refuse…", "Train…", "Cancel…"):
            assert word not in text, (page, word)
    before = hub.database.row("SELECT count(*) AS acts FROM audit")
    for path in ("train", "5/approve", "5/refuse", "runs/motor-health-r4/cancel"):
        answer = browser.post("/account", f"{PAGE}/{path}", reason="mine", mark="0" * 32)
        assert answer.status_code == 403, path
    assert hub.database.row("SELECT count(*) AS acts FROM audit") == before
    assert state(hub, 5) == "candidate"


def test_a_reason_typed_in_an_ended_session_comes_back_and_nothing_is_done(enter: Enter, hub: Hub) -> None:
    mira = enter("mira", "admin")
    answer = mira.client.post(f"{PAGE}/5/refuse", data={"csrf": "old", "reason": "a broken sensor"})
    assert answer.status_code == 403
    assert 'value="a broken sensor"' in answer.text
    assert state(hub, 5) == "candidate"
