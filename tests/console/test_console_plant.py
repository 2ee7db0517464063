"""Plant, devices and search over a real database: filtered and paged at the hub, in words where nothing is found."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from cloud_hub.console import listing
from cloud_hub.console.live import Pulse
from cloud_hub.console.plant.ranking import Ranking
from cloud_hub.hub import Hub
from cloud_hub.store import device_list, fleet, plant, search
from tests.console.console_seed import seed

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def rollout(hub: Hub) -> str:
    return seed(hub)


def rows(text: str, kind: str) -> list[str]:
    """The names of the machines (m) or devices (d) that a page lists, in its order."""
    return re.findall(rf'id="{kind}-([^"]+)"', text)


def crowd(hub: Hub, devices: int) -> None:
    """Devices at a site of their own, each with a machine that has not said anything yet."""
    with hub.database.transaction() as connection:
        connection.execute("INSERT INTO site (name, zone) VALUES ('metz', 'Europe/Paris')")
        connection.execute(
            """INSERT INTO device (name, site, profile, added, enrolled, online)
               SELECT 'gate-' || lpad(n::text, 3, '0'), site.id, 'generic', %(now)s, %(now)s, true
                 FROM site, generate_series(1, %(devices)s) AS n WHERE site.name = 'metz'""",
            {"now": hub.clock.now(), "devices": devices},
        )
        connection.execute(
            """INSERT INTO machine (name, device, machine_class, added)
               SELECT 'fan-' || right(name, 3), id, 'fan', added FROM device WHERE name LIKE 'gate-%'"""
        )


def test_machines_are_filtered_by_what_the_link_carries(client: FlaskClient, hub: Hub, rollout: str) -> None:
    crowd(hub, 3)
    assert rows(client.get("/?site=metz").text, "m") == ["fan-001", "fan-002", "fan-003"]
    assert rows(client.get("/?class=motor-pump&text=PUMP-1").text, "m") == ["pump-1"]
    assert rows(client.get("/?text=cell-3").text, "m") == ["pump-5"]
    assert rows(client.get("/?state=alarm").text, "m") == ["pump-1"]
    assert rows(client.get("/?state=silent").text, "m") == ["pump-5"]  # its device is offline
    kept = client.get("/?site=lyon&state=watch&text=p").text
    assert 'value="p"' in kept
    assert re.search(r"<option selected>lyon</option>", kept)


def test_one_site_tells_what_is_wrong_and_what_happened_there_alone(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    crowd(hub, 1)
    assert "device-silent" in client.get("/?site=lyon").text
    elsewhere = client.get("/?site=metz").text
    assert "device-silent" not in elsewhere
    assert "Nothing yet: alarms" in elsewhere


def test_a_filter_that_matches_nothing_says_so_and_leads_back(client: FlaskClient, rollout: str) -> None:
    text = client.get("/?text=no-such").text
    assert "No machine matches." in text
    assert "There are 5 machines in all" in text
    assert "No device matches." in client.get("/devices?text=no-such").text


@pytest.mark.parametrize(
    "path", ["/?state=odd", "/?page=0", "/?page=x", "/?page=-1", "/?page=99999999999", "/devices?state=odd"]
)
def test_an_absurd_filter_or_page_is_refused_in_words(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert "Expected" in answer.text


@pytest.mark.parametrize("path", ["/", "/devices"])
def test_what_is_too_long_to_be_a_name_is_refused(client: FlaskClient, path: str) -> None:
    assert client.get(path, query_string={"text": "x" * 101}).status_code == 400
    assert client.get(path, query_string={"text": "a\0b"}).status_code == 400


@pytest.mark.parametrize("path", ["/", "/devices"])
def test_a_link_of_a_list_keeps_its_filters_and_nothing_else(
    client: FlaskClient, rollout: str, path: str
) -> None:
    answer = client.get(f"{path}?endpoint=x&_external=1&_scheme=ftp&_anchor=y&site=lyon")
    assert answer.status_code == 200
    links = " ".join(re.findall(r'href="([^"]*site=lyon[^"]*)"', answer.text))
    assert links
    for foreign in ("endpoint=", "external", "scheme", "ftp:", "#"):
        assert foreign not in links


def test_a_long_list_is_cut_at_the_hub_and_links_keep_the_filter(client: FlaskClient, hub: Hub) -> None:
    crowd(hub, 120)
    first = client.get("/?site=metz").text
    assert len(rows(first, "m")) == listing.SIZE
    assert "1–50 of 120 machines" in first
    assert 'href="/?site=metz&amp;page=2"' in first
    assert rows(client.get("/?site=metz&page=3").text, "m")[-1] == "fan-120"
    beyond = client.get("/?site=metz&page=9").text
    assert "There is no page 9" in beyond
    assert len(rows(beyond, "m")) == 20
    assert len(rows(client.get("/devices?page=2").text, "d")) == listing.SIZE
    assert rows(client.get("/devices?page=3&site=metz").text, "d")[0] == "gate-101"


def test_trends_of_a_page_come_from_one_query_oldest_first(hub: Hub, rollout: str) -> None:
    asked = [each for each in fleet.machines(hub.database) if each.name in ("pump-1", "pump-2")]
    trends = plant.trends(hub.database, asked)
    assert sorted(trends) == ["pump-1", "pump-2"]
    assert {len(lives) for lives in trends.values()} == {60}
    assert trends["pump-1"][-1] == pytest.approx(61.0, abs=7.0)
    assert trends["pump-1"][0] > trends["pump-1"][-1]
    assert plant.trends(hub.database, []) == {}


def test_pages_share_one_look_at_the_machines_and_news_bring_another(hub: Hub, rollout: str) -> None:
    ranking = Ranking(hub.database, hub.clock)
    first = ranking.read()
    crowd(hub, 1)
    assert ranking.read() is first
    pulse = Pulse(hub.database, hub.clock, prepare=ranking.look)
    page = pulse.listen(1)
    assert page
    assert next(page).startswith("retry")
    assert '"fleet"' in next(page)
    assert "fan-001" in {each.machine.name for each in ranking.read()}  # there before the page hears of it
    pulse.stop()


def test_sites_tell_their_machines_and_devices(client: FlaskClient, rollout: str) -> None:
    text = client.get("/").text
    assert 'id="s-lyon"' in text
    assert "Europe/Paris" in text
    assert ">2/3<" in text
    assert "1 alarm" in text


def test_devices_that_need_someone_come_first_with_why(client: FlaskClient, hub: Hub, rollout: str) -> None:
    now = hub.clock.now()
    hub.database.execute(
        "UPDATE device SET last_live = %(then)s WHERE name = 'cell-2'", {"then": now - timedelta(hours=5)}
    )
    text = client.get("/devices").text
    assert rows(text, "d") == ["cell-3", "cell-2", "cell-1"]
    assert "offline for 3\u202fmin" in text
    assert "behind" in text
    assert "5\u202fh behind" in text
    assert rows(client.get("/devices?state=behind").text, "d") == ["cell-2"]
    assert rows(client.get("/devices?version=0.1.0&profile=generic-x86&site=lyon").text, "d")
    assert not rows(client.get("/devices?version=9").text, "d")


def test_a_network_that_runs_another_way_than_compiled_says_so_until_it_comes_back(
    hub: Hub, rollout: str
) -> None:
    told = """INSERT INTO report (device, use_case, directive_sequence, state, event, reason, release, rollout,
                                  correlation, evidence, time, received)
              SELECT device.id, 'motor-health', 1, 'committed', %(event)s, %(reason)s, 'motor-health/1', '', '', '{}',
                     %(time)s, %(time)s FROM device WHERE name = 'cell-1'"""
    reason, now = "onnxruntime-cpu fp32 answers instead of tensorrt fp16", hub.clock.now()
    hub.database.execute(told, {"event": "fell-back", "reason": reason, "time": now})

    def runs() -> str:
        listed = device_list.page(
            hub.database, {"text": "cell-1"}, states=device_list.STATES, size=50, offset=0
        )
        return listed[0].runs[0].fell_back

    assert runs() == reason
    hub.database.execute(told, {"event": "came-up", "reason": "", "time": now + timedelta(seconds=1)})
    assert runs() == ""


def test_search_jumps_to_the_one_thing_that_is_called_so(client: FlaskClient, rollout: str) -> None:
    jumps = {
        "PUMP-1": "/machines/pump-1",
        "cell-2": "/devices/cell-2",
        "lyon": "/?site=lyon",
        "motor-health/2": "/models/motor-health/2",
        "motor-health": "/models/motor-health",
        rollout: f"/rollouts/{rollout}",
    }
    for text, place in jumps.items():
        answer = client.get("/search", query_string={"text": text})
        assert (answer.status_code, answer.headers["Location"]) == (303, place)


def test_search_lists_what_begins_so_by_kind_and_no_more_than_a_few(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    crowd(hub, 20)
    text = client.get("/search/hits?text=motor").text
    assert text.index("Use cases") < text.index("Releases") < text.index("Rollouts")
    assert client.get("/search/hits?text=fan-0").text.count("<li>") == search.MOST
    assert "the first 8" in client.get("/search?text=gate").text


@pytest.mark.parametrize(
    "text", ["nothing-like-it", "%", "_", "\\", "p%mp", "x" * 101, "'; DROP TABLE site --"]
)
def test_search_that_finds_nothing_says_so_and_no_sign_is_a_wildcard(
    client: FlaskClient, rollout: str, text: str
) -> None:
    answer = client.get("/search", query_string={"text": text})
    assert answer.status_code == 200
    assert "Nothing has a name that begins" in answer.text or "No name is as long" in answer.text
    assert client.get("/search").status_code == 200


def test_search_and_lists_escape_what_devices_call_themselves(client: FlaskClient, hub: Hub) -> None:
    seed(hub, hostile=HOSTILE)
    for path in (
        "/?text=pump",
        "/devices",
        "/search/hits?text=pump",
        "/search?text=pump",
        "/devices/cell-1/retire",
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text, path


def test_search_looks_names_up_by_an_index(hub: Hub) -> None:
    crowd(hub, 999)
    with hub.database.transaction() as connection:
        connection.execute("ANALYZE device; ANALYZE machine")
        values = {"prefix": "gate-00%", "sites": None, "most": search.MOST}
        plan = connection.execute(f"EXPLAIN {search.QUERIES['search']}", values).fetchall()
    told = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "device_by_prefix" in told
    assert "machine_by_prefix" in told
