"""The scoring service as devices and the console see it: one real process, real certificates."""

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from cloud_hub.console.app import create_app
from cloud_hub.errors import ConflictError, NotFoundError, UnreachableError
from cloud_hub.hub import assemble
from cloud_hub.identity.people.permissions import Grant, Role
from cloud_hub.serving.catalogue import Registered
from cloud_hub.serving.client import Service
from edge_agent.errors import InferenceError
from edge_agent.runners.remote import RemoteRunner
from models.graphs import Runner
from tests.certificates import Certificates
from tests.console.console_programs import Program
from tests.serving.serving_world import NAMES, UNITS, Served, bundle_of
from tests.stored_machines import BEGIN_US
from wire.bundle import write_bundle
from wire.scoring import LARGEST, MOST_ROWS, Question

ROW = [1.5, 2.0, 3.0]
QUESTION = {"release": "engine-life/1", "names": NAMES, "units": UNITS, "rows": [ROW]}


def until(holds: Callable[[], bool], seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def test_a_release_answers_named_outputs_with_their_interval(served: Served) -> None:
    status, answer = served.ask(QUESTION)
    assert status == 200
    assert answer == {
        "release": "engine-life/1",
        "coverage": 0.9,
        "names": ["remaining_life", "lower", "upper", "anomaly"],
        "units": ["h", "h", "h", "1"],
        "rows": [[11.5, 6.5, 21.5, 0.25]],
    }


def test_a_use_case_is_answered_by_its_champion_and_another_release_by_itself(served: Served) -> None:
    named = [served.ask(QUESTION | {"release": name})[1] for name in ("engine-life", "engine-life/2")]
    assert [(each["release"], each["rows"][0][0]) for each in named] == [
        ("engine-life/1", 11.5),
        ("engine-life/2", 21.5),
    ]


def test_a_service_for_some_names_knows_no_others(served: Served) -> None:
    world = served.world

    def standing(*only: str) -> list[str]:
        return [each.release for each in Registered(world.database, world.state_dir, only).standing()]

    assert standing() == standing("engine-life") == ["engine-life/1"]
    assert standing("engine-life/2") == ["engine-life/2"]
    assert standing("pump-life") == []
    with pytest.raises(NotFoundError, match="no release named 'engine-life/1'"):
        Registered(world.database, world.state_dir, ["engine-life/2"]).find("engine-life/1")


REFUSED: dict[str, tuple[Any, int, str]] = {
    "unknown release": ({"release": "engine-life/9"}, 404, "champions that are: engine-life/1"),
    "no release": ({"release": None}, 400, "expected release as text"),
    "another width": ({"rows": [[1.0, 2.0]]}, 400, "expected 3 numbers in row 1, got 2"),
    "ragged rows": ({"rows": [ROW, [1.0]]}, 400, "expected 3 numbers in row 2, got 1"),
    "no row": ({"rows": []}, 400, "at least one row"),
    "NaN": ({"rows": [ROW, [1.0, float("nan"), 2.0]]}, 400, "got nan in row 2, column 2"),
    "beyond float32": ({"rows": [[1e39, 0.0, 0.0]]}, 400, "got 1e+39 in row 1, column 1"),
    "text": ({"rows": [["1.5", 2.0, 3.0]]}, 400, "expected numbers in rows"),
    "null": ({"rows": [[None, 2.0, 3.0]]}, 400, "expected numbers in rows"),
    "too many rows": ({"rows": [[0, 0, 0]] * (MOST_ROWS + 1)}, 413, "ask in parts"),
    "swapped inputs": ({"names": ("flow", "pressure", "speed")}, 400, "input 1 to be 'pressure' in 'bar'"),
    "another unit": ({"units": ("Pa", "m3/h", "Hz")}, 400, "got 'pressure' in 'Pa'"),
    "an input less": ({"names": NAMES[:2], "units": UNITS[:2], "rows": [[1, 2]]}, 400, "3 inputs, got 2"),
    "a unit less": ({"units": UNITS[:2]}, 400, "a unit for each of 3 names"),
}


@pytest.mark.parametrize(("change", "status", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_question_that_does_not_fit_is_refused_in_words(
    served: Served, change: dict[str, Any], status: int, sentence: str
) -> None:
    found, said = served.ask(QUESTION | change)
    assert found == status
    assert sentence in said["error"]


BODIES: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "no JSON": (b'{"rows": [[1', {}, 400, "expected a JSON object"),
    "a list": (b"[]", {}, 400, "expected a JSON object, got list"),
    "nested without end": (b"[" * 100_000, {}, 400, "expected a JSON object"),
    "a pickle": (
        b"\x80\x04N.",
        {"Content-Type": "application/vnd.bentoml+pickle"},
        415,
        "expected application/json, got application/vnd.bentoml+pickle",
    ),
    "oversized": (b" ", {"Content-Length": str(LARGEST + 1)}, 413, f"at most {LARGEST} bytes"),
}


@pytest.mark.parametrize(("body", "headers", "status", "sentence"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_question_is_refused_in_words(
    served: Served, body: bytes, headers: dict[str, str], status: int, sentence: str
) -> None:
    found, said = served.ask(body, **headers)
    assert found == status
    assert sentence in said["error"]


def test_nobody_asks_without_a_certificate_and_health_is_for_everybody(served: Served) -> None:
    assert served.ask(QUESTION, name=None)[0] == 401
    assert [served.send("GET", path, name=None)[0] for path in ("/livez", "/readyz")] == [200, 200]
    assert served.send("GET", "/metrics", name=None)[0] == 401


def test_a_certificate_of_another_authority_ends_the_handshake(served: Served, tmp_path: Path) -> None:
    stranger = Certificates(tmp_path / "other").issue("press-04")
    context = ssl.create_default_context(cafile=served.world.authority.certificate_file)
    context.load_cert_chain(stranger.certificate, stranger.key)
    line = HTTPSConnection(*served.place, timeout=10, context=context)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _exchange(line)
    line.close()


def test_the_hub_alone_reads_the_metrics(served: Served) -> None:
    assert [served.send("GET", "/metrics")[0], served.ask(b"{")[0], served.ask(QUESTION)[0]] == [
        403,
        400,
        200,
    ]
    status, text = served.send("GET", "/metrics", name="hub")
    assert status == 200
    assert 'andon_scoring_rows_total{release="engine-life/1"}' in text
    for status in (400, 403):  # of the service, and at its door
        assert f'andon_scoring_refused_total{{status="{status}"}}' in text


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/static_content/x", "/score/"])
def test_what_bentoml_offers_beside_is_not_there(served: Served, path: str) -> None:
    assert served.send("GET", path, name="hub")[0] == 404


def test_a_device_cut_off_is_refused_over_the_line_it_has(served: Served) -> None:
    line = HTTPSConnection(*served.place, timeout=10, context=served.world.client("press-05"))
    statuses = []
    for revoked in (False, True):
        if revoked:
            certificate = (served.world.state_dir / "press-05.pem").read_bytes()
            number = served.world.authority.recognise(certificate).serial_number
            served.world.revoked.include(served.world.database, f"{number:x}")
        line.request("POST", "/score", json.dumps(QUESTION), {"Content-Type": "application/json"})
        response = line.getresponse()
        statuses.append((response.status, json.loads(response.read()).get("error")))
    line.close()
    assert statuses == [(200, None), (403, "the certificate of press-05 was revoked")]


def test_a_device_is_answered_as_its_own_network_would(served: Served) -> None:
    bundle = bundle_of(2, life=20.0)
    runner = _remote(served, 2)
    own = Runner(bundle.onnx, ["remaining_life", "anomaly"])
    for rows in (bundle.golden_inputs[:1], bundle.golden_inputs):
        assert np.array_equal(runner.run(rows), own.run(rows))
    runner.close()


def test_a_device_hears_why_it_is_refused(served: Served) -> None:
    runner = _remote(served, 7)
    with pytest.raises(InferenceError, match=r"refused \(404\): no release 'engine-life/7'"):
        runner.run(np.zeros((1, 3), np.float32))
    runner.close()


def test_the_console_asks_with_the_hubs_own_certificate(served: Served, tmp_path: Path) -> None:
    service = Service.of(served.world.state_dir)
    question = Question(release="engine-life/2", names=NAMES, units=UNITS, rows=np.array([ROW], np.float32))
    assert service.ask(question).rows.tolist() == [[21.5, 16.5, 31.5, 0.25]]
    with pytest.raises(ConflictError, match="no release 'x/1' is served"):
        service.ask(Question(release="x/1", names=NAMES, units=UNITS, rows=question.rows))
    with pytest.raises(UnreachableError, match="andon hub serve"):
        Service.of(tmp_path)


@pytest.fixture(scope="module")
def console(served: Served) -> Iterator[FlaskClient]:
    """A browser that was let in, and one machine whose newest row it may change."""
    world = served.world
    world.hear("press-1", [BEGIN_US], [ROW], [[11.5, 6.5, 21.5, 0.25]], "engine-life/1")
    app = create_app(assemble(world.config, world.database, world.config.time()))
    client = app.test_client()
    office = app.extensions["office"]
    office.accounts.add("mira", [Grant(Role.ENGINEER)], by="test")
    client.set_cookie(app.config["ANDON_COOKIE"], office.sessions.open(office.accounts.get("mira").id))
    yield client
    app.extensions["pulse"].stop()


def _form(console: FlaskClient, **changes: str) -> dict[str, str]:
    """The what-if form as the page has it, with ``changes``."""
    page = console.get("/models/engine-life/1/what-if").text
    fields = re.findall(r'<input [^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
    return dict(fields) | {name.replace("_", "-"): value for name, value in changes.items()}


def test_what_if_shows_the_newest_row_and_what_is_said_of_it(console: FlaskClient) -> None:
    page = console.get("/models/engine-life/1/what-if").text
    for expected in ("press-1", "pressure", 'value="1.5"', "remaining life", "11.5", "6.5", "21.5"):
        assert expected in page


def test_a_changed_input_moves_prediction_and_interval(console: FlaskClient) -> None:
    form = _form(console, input_0="50")
    answer = console.post("/models/engine-life/1/what-if", data=form, headers={"HX-Request": "true"}).text
    assert "<html" not in answer
    figures = re.findall(r">\s*([\d.]+)(?: to ([\d.]+))?\s*<", answer)
    assert figures[:4] == [("11.5", ""), ("6.5", "21.5"), ("60", ""), ("40", "90")]


@pytest.mark.parametrize("typed", ["abc", "nan", "1e39", "<script>"])
def test_what_is_no_number_is_named_and_not_asked(console: FlaskClient, typed: str) -> None:
    answer = console.post("/models/engine-life/1/what-if", data=_form(console, input_1=typed)).text
    assert "expected a number for flow" in answer
    assert "<script>" not in answer.partition("It cannot be answered")[2]


def test_what_if_needs_the_forms_own_token_and_a_released_model(console: FlaskClient) -> None:
    assert console.post("/models/engine-life/1/what-if", data=_form(console, csrf="x")).status_code == 403
    assert console.get("/models/engine-life/9/what-if").status_code == 404


def test_a_program_is_told_the_same(console: FlaskClient) -> None:
    app = console.application
    program = Program.of(app, app.extensions["office"], "lea", ("engineer",), ())
    asked = program.post("/releases/engine-life/1/what-if", machine="press-1", inputs={"pressure": 50})
    assert asked.status_code == 200, asked.text
    outputs = {each["name"]: each for each in asked.json["outputs"]}
    life = outputs["remaining_life"]
    assert (life["before"], life["after"]) == (11.5, 60)
    assert life["bounds"] == [[6.5, 21.5], [40, 90]]


def test_a_new_champion_answers_without_a_restart_and_a_damaged_one_never(served: Served) -> None:
    def champion() -> str:
        return str(served.ask(QUESTION | {"release": "engine-life"})[1]["release"])

    file = served.world.publish(bundle_of(3, life=30.0))
    write_bundle(file, bundle_of(3, life=99.0))  # whole, and not what was published
    served.world.crown(3)
    assert until(lambda: "champion cannot answer" in served.log.read_text())
    assert champion() == "engine-life/1"
    served.world.crown(2)
    assert until(lambda: champion() == "engine-life/2")


def test_nothing_of_a_question_is_logged(served: Served) -> None:
    served.ask(QUESTION | {"names": ("marker-4711", *NAMES[1:])})
    served.ask(b"marker-4711")
    served.ask(QUESTION, name=None, Authorization="Bearer marker-4711")
    assert "marker-4711" not in served.log.read_text()


def test_it_writes_nowhere_else_and_stops_when_asked(served: Served) -> None:
    began = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - began < 5
    assert not (served.world.state_dir / "run" / "scoring.json").exists()
    assert not list(served.home.rglob("*"))
    assert "Traceback" not in served.log.read_text()


def _remote(served: Served, version: int) -> RemoteRunner:
    host, port = served.place
    tls = served.world.client("press-04")
    manifest = bundle_of(version, life=20.0).manifest
    return RemoteRunner(manifest, url=f"https://{host}:{port}", tls=tls, timeout_s=5.0)


def _exchange(line: HTTPSConnection) -> None:
    """TLS 1.3 tells the verdict on a client's certificate after the handshake."""
    line.request("POST", "/score", b"{}")
    line.getresponse()
