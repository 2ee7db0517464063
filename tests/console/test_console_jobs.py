"""Jobs on the console: what runs, waits and failed, said in words, and acts that only the flows carry out."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from cloud_hub.identity.people.permissions import MAY, Permission, Role
from cloud_hub.jobs import queue, read
from tests.console.console_jobs import WORKER, seed_jobs
from tests.console.console_people import Browser, token
from tests.console.console_seed import seed

Enter = Callable[..., Browser]
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def jobs(hub: Hub) -> dict[str, int]:
    seed(hub)
    return seed_jobs(hub)


def row(text: str, mark: str) -> str:
    """The table row in which ``mark`` stands."""
    return next(each for each in text.split("<tr") if mark in each)


def test_a_hub_that_never_worked_says_what_to_start(client: FlaskClient) -> None:
    text = client.get("/jobs").text
    assert text.count("No worker has ever been seen") == 2
    assert "andon hub work" in text
    assert "No job has ended yet" in text


def test_a_worker_that_fell_silent_is_said_to_be_gone(client: FlaskClient, hub: Hub) -> None:
    seed(hub)
    seed_jobs(hub, alive=False)
    text = client.get("/jobs").text
    assert text.count("No worker has been seen for 12\u202fmin") == 2
    assert "fell silent" in text
    assert "its worker is gone: the next one begins it again" in row(text, "motor-health-r4")
    assert text.count("comes round when a worker is there") == 3
    assert "no worker is there for the queue default" in row(text, "motor-health-r5")
    hub.database.execute("UPDATE job_worker SET ended = seen")
    assert "was stopped" in client.get("/jobs").text


def test_what_runs_shows_how_far_it_is_and_by_whom(client: FlaskClient, jobs: dict[str, int]) -> None:
    text = client.get("/jobs").text
    running = row(text, f'id="j-{jobs["training"]}"')
    for expected in ("motor-health-r4", "training", "40 %", WORKER, "8\u202fmin"):
        assert expected in running
    assert "worker alive" in text
    assert "is gone" not in text
    assert "comes round when" not in text


def test_what_waits_says_for_what(client: FlaskClient, hub: Hub, jobs: dict[str, int]) -> None:
    text = client.get("/jobs").text
    assert f"takes turns: job {jobs['training']} (retrain) works" in row(text, f'id="j-{jobs["behind"]}"')
    assert "a worker takes it within seconds" in row(text, f'id="j-{jobs["free"]}"')
    later = "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '3 hours 10 minutes' WHERE id = %(job)s"
    hub.database.execute(later, {"job": jobs["free"]})
    waits = row(client.get("/jobs").text, f'id="j-{jobs["free"]}"')
    assert "its time has not come" in waits
    assert re.search("it is due <time [^>]*>in 3\u202fh</time>", waits)


def test_upkeep_that_went_well_is_listed_only_where_it_is_asked_for(
    client: FlaskClient, hub: Hub, jobs: dict[str, int]
) -> None:
    text = client.get("/jobs").text
    assert "too few machines" in row(text, f'id="a-{jobs["failed"]}-1"')
    assert 'id="a-8000-1"' not in text
    assert "1–1 of 1 attempt" in text
    first = client.get("/jobs?task=maintain_store").text
    assert "1–50 of 60 attempts" in first
    assert 'id="a-8000-1"' in first
    assert 'id="a-8059-1"' in client.get("/jobs?task=maintain_store&page=2").text
    hub.database.execute("UPDATE job_attempt SET outcome = 'lost' WHERE job = 8003")
    assert 'id="a-8003-1"' in client.get("/jobs").text


def test_filters_that_match_nothing_and_that_are_none_answer_in_words(
    client: FlaskClient, jobs: dict[str, int]
) -> None:
    nothing = client.get("/jobs?subject=no-such-run")
    assert "No job matches" in nothing.text
    assert 'value="no-such-run"' in nothing.text
    for query in ("task=nope", "outcome=great", "page=0", f"page={10**30}", f"subject={'x' * 101}"):
        answer = client.get(f"/jobs?{query}")
        assert answer.status_code == 400
        assert "Expected" in answer.text
    assert "There is no page 999" in client.get("/jobs?page=999").text


@pytest.mark.parametrize("number", [0, 123456, 2**63 - 1, 2**63, 10**40])
def test_a_job_that_is_not_there_is_said_so(client: FlaskClient, jobs: dict[str, int], number: int) -> None:
    answer = client.get(f"/jobs/{number}")
    assert answer.status_code == 404
    assert "There is no" in answer.text


def test_a_job_tells_its_attempts_its_run_and_no_argument_that_may_be_a_secret(
    client: FlaskClient, hub: Hub, jobs: dict[str, int]
) -> None:
    add = 'UPDATE procrastinate_jobs SET args = args || \'{"password": "hunter2", "key": "hunter3"}\' WHERE id = %(job)s'
    hub.database.execute(add, {"job": jobs["training"]})
    text = client.get(f"/jobs/{jobs['training']}").text
    for expected in ("motor-health-r4", "trace-4", "/audit/trace/trace-4", WORKER, "40 %", "started"):
        assert expected in text
    assert "hunter" not in text
    assert "2, not shown" in text


def test_a_run_is_cancelled_by_its_flow_once_and_on_the_record(
    client: FlaskClient, hub: Hub, jobs: dict[str, int]
) -> None:
    path = f"/jobs/{jobs['behind']}"
    form = {"csrf": token(client, path)}
    assert client.post(f"{path}/cancel", data=form).headers["Location"] == path
    run = hub.database.row("SELECT state, error FROM run WHERE id = 'motor-health-r5'")
    assert run == {"state": "cancelled", "error": "cancelled by mira"}
    again = client.post(f"{path}/cancel", data=form)
    assert again.status_code == 409
    assert "Nothing was changed" in again.text
    entries = hub.database.rows("SELECT actor, subject FROM audit WHERE action = 'retrain.cancel'")
    assert entries == [{"actor": "mira", "subject": "motor-health-r5"}]
    assert "there is nothing left to do when its turn comes" in row(
        client.get("/jobs").text, f'id="j-{jobs["behind"]}"'
    )


def test_a_failed_run_is_done_again_as_a_run_of_its_own_and_only_once(
    client: FlaskClient, hub: Hub, jobs: dict[str, int]
) -> None:
    path = f"/jobs/{jobs['failed']}"
    form = {"csrf": token(client, path)}
    assert "Train again" in client.get(path).text
    assert client.post(f"{path}/train-again", data=form).status_code == 303
    made = hub.database.row("SELECT * FROM run WHERE settings ->> 'again' = 'motor-health-r6'")
    assert made is not None
    assert (made["state"], made["correlation"]) == ("queued", "trace-6")
    assert "why" not in made["settings"]  # a person asks now: no policy's rule holds it
    queued = "SELECT count(*) AS jobs FROM procrastinate_jobs WHERE args ->> 'run' = %(run)s"
    assert hub.database.row(queued, {"run": made["id"]}) == {"jobs": 1}
    again = client.post(f"{path}/train-again", data=form)
    assert again.status_code == 409
    assert f"{made['id']} does it" in again.text
    assert hub.database.row("SELECT state FROM run WHERE id = 'motor-health-r6'") == {"state": "failed"}


def test_a_publishing_that_failed_is_tried_again_and_only_once(
    client: FlaskClient, hub: Hub, jobs: dict[str, int]
) -> None:
    release = "motor-health/3"
    hub.database.execute("UPDATE model SET state = 'approved' WHERE release = 'motor-health/3'")
    with hub.database.transaction() as connection:
        hub.record(
            connection,
            actor="job:publish",
            action="release.publish-failed",
            subject=release,
            detail={"error": "the keys are away"},
        )
        connection.execute(
            """INSERT INTO job_attempt VALUES (9100, 1, 'publish', 'default', %s, 'w:1', %s, %s, 'failed',
                                               'the keys are away')""",
            [release, hub.clock.now(), hub.clock.now()],
        )
    form = {"csrf": token(client, "/jobs/9100")}
    assert "the keys are away" in client.get("/jobs/9100").text
    assert client.post("/jobs/9100/publish-again", data=form).status_code == 303
    queued = "SELECT status::text FROM procrastinate_jobs WHERE args ->> 'release' = 'motor-health/3'"
    assert hub.database.rows(queued) == [{"status": "todo"}]
    again = client.post("/jobs/9100/publish-again", data=form)
    assert again.status_code == 409
    assert "it is under way" in again.text
    assert len(hub.database.rows(queued)) == 1


def test_no_act_reaches_a_job_that_it_is_not_for(client: FlaskClient, hub: Hub, jobs: dict[str, int]) -> None:
    with hub.database.transaction() as connection:
        drive = queue.defer(connection, queue.DRIVE, queue=queue.ROLLOUT)
    form = {"csrf": token(client, "/account")}
    for job in (drive, jobs["upkeep"], jobs["free"]):
        for act in ("cancel", "train-again"):
            answer = client.post(f"/jobs/{job}/{act}", data=form)
            assert answer.status_code == 409, (job, act)
            assert f"Nothing was changed: job {job} is to" in answer.text
    assert client.post(f"/jobs/{jobs['training']}/publish-again", data=form).status_code == 409
    assert client.post(f"/jobs/{jobs['training']}/explode", data=form).status_code == 404
    assert client.post("/jobs/424242/cancel", data=form).status_code == 404
    done = "SELECT action FROM audit WHERE action LIKE 'retrain.%' OR action LIKE 'release.%'"
    assert hub.database.rows(done) == []


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_jobs_and_acts_on_them_as_it_may(
    enter: Enter, hub: Hub, jobs: dict[str, int], role: Role
) -> None:
    browser = enter(f"the-{role}", role)
    sees = Permission.AUDIT in MAY[role]
    for path in ("/jobs", f"/jobs/{jobs['training']}"):
        assert browser.client.get(path).status_code == (200 if sees else 403)
    assert ('href="/jobs"' in browser.client.get("/").text) is sees
    answer = browser.post("/account", f"/jobs/{jobs['behind']}/cancel")
    assert answer.status_code == (303 if Permission.TRAIN in MAY[role] else 403)


def test_who_works_at_one_site_sees_no_job(enter: Enter, jobs: dict[str, int]) -> None:
    client = enter("lea", "admin@lyon").client
    for path in ("/jobs", f"/jobs/{jobs['training']}", "/jobs/1"):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "or admin at every site; whoever administers" in answer.text  # she is admin, at one


def test_no_text_of_a_job_becomes_code(client: FlaskClient, hub: Hub, jobs: dict[str, int]) -> None:
    hostile = {"text": HOSTILE}
    hub.database.execute(
        "UPDATE job_attempt SET reason = %(text)s, worker = %(text)s WHERE job >= 9000", hostile
    )
    hub.database.execute("UPDATE run SET stage = %(text)s, error = %(text)s", hostile)
    hub.database.execute("UPDATE job_worker SET name = %(text)s || queue", hostile)
    paths = ("/jobs", f"/jobs/{jobs['failed']}", f"/jobs/{jobs['training']}", f"/jobs?subject={HOSTILE}")
    for path in paths:
        text = client.get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


def test_of_jobs_that_take_turns_all_wait_for_the_first_to_be_taken(hub: Hub) -> None:
    add = """INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock)
             VALUES ('default', 'retrain', %(priority)s, %(lock)s) RETURNING id"""
    told = [(0, "turn"), (5, "turn"), (0, "turn"), (0, "another"), (0, None), (0, None)]
    early, first, late, *alone = (
        hub.database.rows(add, {"priority": priority, "lock": lock})[0]["id"] for priority, lock in told
    )
    rows = hub.database.rows(read.SQL["waiting"], {"most": 100})
    ahead = {each["id"]: each["ahead"] for each in rows}
    assert ahead == {early: first, first: None, late: first} | dict.fromkeys(alone)
    hub.database.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %(id)s", {"id": late})
    rows = hub.database.rows(read.SQL["waiting"], {"most": 100})
    ahead = {each["id"]: each["ahead"] for each in rows}
    assert ahead == {early: late, first: late} | dict.fromkeys(alone)
