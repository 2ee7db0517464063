"""Roles hold at their sites: what stands elsewhere answers as what is not there, and no act reaches it."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import MAY, Permission, Role
from tests.console.console_people import Browser, token

Enter = Callable[..., Browser]

ELSEWHERE = (
    "/machines/{}",
    "/machines/{}/why/motor-health",
    "/api/v1/machines/{}/series",
    "/api/v1/machines/{}/predictions",
    "/api/v1/machines/{}/explanation/motor-health",
)
ACTS = ("approve", "pause", "resume", "abort", "undo")


def alike(client: FlaskClient, there: str, nowhere: str) -> None:
    """Both answer 404, in the same words but for the name."""
    one, other = client.get(there), client.get(nowhere)
    assert one.status_code == other.status_code == 404, there
    told, same = (re.sub(r'datetime="[^"]+"|\d\d:\d\d', "", each.text) for each in (one, other))  # the clock
    assert told.replace("pump-5", "nope").replace("cell-3", "nope") == same


def test_a_machine_or_device_of_another_site_is_not_there(enter: Enter, hub: Hub) -> None:
    client = enter("lea", "operator@lyon").client
    for path in ELSEWHERE:
        alike(client, path.format("pump-5"), path.format("nope"))
    alike(client, "/devices/cell-3", "/devices/nope")
    assert client.get("/machines/pump-1").status_code == 200
    assert client.get("/api/v1/machines/pump-1/series").status_code == 200


def test_no_page_names_what_stands_at_another_site(enter: Enter, hub: Hub, rollout: str) -> None:
    client = enter("lea", "admin@lyon").client
    for path in ("/", "/rollouts", f"/rollouts/{rollout}", "/models", "/models/motor-health/2"):
        answer = client.get(path)
        assert answer.status_code == 200
        for name in ("pump-5", "cell-3", "tours"):
            assert name not in answer.text, (path, name)
    everywhere = enter("zoe", "viewer").client
    assert "cell-3" in everywhere.get(f"/rollouts/{rollout}").text
    assert "nothing was heard of it" in everywhere.get("/").text  # the incident of cell-3


def test_a_rollout_of_other_sites_is_not_there(enter: Enter, hub: Hub, rollout: str) -> None:
    hub.database.execute("INSERT INTO site (name) VALUES ('brest') ON CONFLICT DO NOTHING")
    browser = enter("eve", "admin@brest")
    assert browser.client.get(f"/rollouts/{rollout}").status_code == 404
    assert rollout not in browser.client.get("/rollouts").text
    for act in ACTS:
        answer = browser.post("/account", f"/rollouts/{rollout}/{act}", reason="mine now")
        assert answer.status_code == 404
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}


def test_who_works_at_one_site_does_nothing_to_a_rollout_over_two(
    enter: Enter, hub: Hub, rollout: str, office: Office
) -> None:
    browser = enter("lea", "operator@lyon")
    answer = browser.post("/account", f"/rollouts/{rollout}/pause", reason="smoke")
    assert answer.status_code == 403
    assert "at every site that it concerns" in answer.text
    assert "Pause…" not in browser.client.get(f"/rollouts/{rollout}").text
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}
    both = enter("max", "operator@lyon", "operator@tours")
    assert both.post("/account", f"/rollouts/{rollout}/pause", reason="smoke").status_code == 303
    assert hub.database.row("SELECT state FROM rollout") == {"state": "paused"}


@pytest.mark.parametrize("role", list(Role))
def test_each_act_is_refused_to_whoever_s_role_does_not_hold_it(
    enter: Enter, hub: Hub, rollout: str, role: Role
) -> None:
    browser = enter(f"the-{role}", role)
    needed = {"pause": Permission.PAUSE, "resume": Permission.STEER, "approve": Permission.WIDEN}
    for act, permission in needed.items():
        answer = browser.post("/account", f"/rollouts/{rollout}/{act}", reason="because")
        assert (answer.status_code == 403) == (permission not in MAY[role]), act
    looked = {"/people": Permission.PEOPLE, "/metrics": Permission.METRICS}
    for path, permission in looked.items():
        assert browser.client.get(path).status_code == (200 if permission in MAY[role] else 403)
    asked = browser.client.get("/models/motor-health/2/what-if").status_code
    assert (asked == 403) == (Permission.ASK not in MAY[role])


def test_a_role_at_one_site_is_none_for_the_fleet(enter: Enter, hub: Hub) -> None:
    browser = enter("lea", "admin@lyon")
    assert browser.client.get("/people").status_code == 403
    assert browser.client.get("/metrics").status_code == 403
    answer = browser.post("/account", "/people", name="eve", role="admin")
    assert answer.status_code == 403
    assert browser.post("/account", "/people/lea/give", role="admin").status_code == 403


def test_what_if_asks_nothing_about_a_machine_of_another_site(enter: Enter, hub: Hub) -> None:
    client = enter("lea", "engineer@lyon").client
    page = client.get("/models/motor-health/2/what-if?machine=pump-5").text
    assert "No prediction for pump-5 is stored yet" in page
    assert '<option value="pump-5"' not in page
    form = {"csrf": token(client, "/account"), "time": "2026-01-01T00:00:00+00:00"}
    for machine in ("pump-5", "nope"):
        answer = client.post("/models/motor-health/2/what-if", data=form | {"machine": machine})
        assert answer.status_code == 404
        assert f"no machine named &#39;{machine}&#39;" in answer.text


def test_what_if_asks_only_where_a_role_is_held_that_may_ask(enter: Enter, hub: Hub) -> None:
    client, nothing = (
        enter("lea", "viewer", "engineer@tours").client,
        "No prediction for pump-1 is stored yet",
    )
    asking = "/models/motor-health/2/what-if"
    assert client.get("/machines/pump-1").status_code == 200
    assert nothing in client.get(f"{asking}?machine=pump-1").text
    assert nothing not in enter("max", "engineer@lyon").client.get(f"{asking}?machine=pump-1").text
    form = {"csrf": token(client, "/account"), "time": "2026-01-01T00:00:00+00:00", "machine": "pump-1"}
    answer = client.post(asking, data=form)
    assert answer.status_code == 403
    assert "To ask about pump-1 takes the role engineer or operator" in answer.text


def test_somebody_without_a_role_sees_nothing_and_can_leave(enter: Enter, hub: Hub) -> None:
    browser = enter("new")
    assert [browser.client.get(path).status_code for path in ("/", "/models", "/rollouts")] == [403] * 3
    assert browser.client.get("/machines/pump-1").status_code == 404
    assert "You have no role yet" in browser.client.get("/account").text
    assert browser.post("/account", "/logout").status_code == 303
