"""Pages about models tell what runs, what wants to, which of two is better, and where each came from."""

import json
import re
from collections.abc import Callable
from html import unescape

import numpy as np
import pytest
from flask.testing import FlaskClient

from cloud_hub.compiler.card import render
from cloud_hub.compiler.findings import Finding
from cloud_hub.compiler.plots import Axis, Mark, ranges
from cloud_hub.flows.refusing import refuse
from cloud_hub.hub import Hub
from cloud_hub.registry.models import Registry
from tests.console.console_models import grow, note
from tests.console.console_people import Browser
from tests.console.console_seed import seed
from wire.bundle import Bundle, file_sha256, write_bundle

Enter = Callable[..., Browser]
DATASET = "b2" * 32


@pytest.fixture
def rollout(hub: Hub) -> str:
    found = seed(hub)
    grow(hub)
    return found


def cells(text: str, begin: str) -> list[str]:
    """The words of the first row of a table whose head contains ``begin``, cell by cell."""
    row = next(row for row in re.findall(r"<tr.*?</tr>", text, re.DOTALL) if begin in row)
    return [" ".join(re.sub(r"<[^>]*>", " ", each).split()) for each in re.split(r"</t[hd]>", row)][:-1]


def things(text: str) -> dict[str, dict[str, object]]:
    """What a page draws as its lineage, by kind."""
    found = re.search(r'data-lineage="([^"]*)"', text)
    assert found
    return {each["kind"]: each for each in json.loads(unescape(found[1]))}


def test_a_use_case_tells_its_champion_its_candidate_and_what_that_lacks(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    hub.database.execute("UPDATE rollout SET state = 'done', release = 'motor-health/2'")
    hub.database.execute("UPDATE device_release SET release = 'motor-health/2'")
    text = client.get("/models/motor-health").text
    assert "Tells how long a motor-pump has until it fails, in hours" in text
    assert re.search(
        r"Champion</dt><dd><b><a[^>]*>motor-health/2</a></b><span class=\"sub\">since <time", text
    )
    assert "<b>3</b> devices" in text
    doors = dict(re.findall(r'<span class="faint">(\w+)</span><b>([^<]*)</b>', text))
    assert doors == {
        "Gate": "passed",
        "Approval": "waits",
        "Bundle": "not yet",
        "Engines": "not yet",
        "Rollout": "not yet",
    }
    assert "1 more person has to approve it (0 of 1)." in text
    assert "3 new failures" in text
    drawn = re.search(r'data-figures="([^"]*)"', text)
    assert drawn
    assert [row["version"] for row in json.loads(unescape(drawn[1]))] == [1, 2, 3, 4, 5]
    assert cells(text, "v-motor-health/4")[3:6] == ["16.1 h RMSE, a guess 64.5", "94 %", "0"]
    (row,) = [
        row for row in re.findall(r"<tr.*?</tr>", client.get("/models").text, re.DOTALL) if "u-motor-h" in row
    ]
    assert "motor-health/2" in row
    assert "motor-health/5" in row
    assert "5 versions" in row


def test_a_use_case_that_has_no_model_yet_says_how_to_get_one_and_one_unknown_is_not_there(
    client: FlaskClient, rollout: str
) -> None:
    text = client.get("/models/bearing-fault").text
    assert "No model yet" in text
    assert "Tells which fault a bearing-rig has" in text
    for path in (
        "/models/nope",
        "/models/nope/compare",
        "/models/nope/train",
        "/models/lineage/dataset/nope",
    ):
        assert client.get(path).status_code == 404, path
    for page in ("", "/lineage", "/card", "/approve", "/refuse", "/lineage/predictions", "/card.html"):
        assert client.get(f"/models/motor-health/99{page}").status_code == 404, page
    assert client.get("/models/motor-health?page=0").status_code == 400
    assert "There is no page 7" in client.get("/models/motor-health?page=7").text


def test_a_difference_within_noise_is_called_that_and_a_sure_one_is_told_with_its_size(
    client: FlaskClient, rollout: str
) -> None:
    text = client.get("/models/motor-health/compare?left=5&right=2").text
    assert "The difference is within noise: motor-health/5 has the lower RMSE" in text
    assert "Only motor-health/5 knows 6 machines: pump-2, pump-3, pump-4, pump-5, pump-6, pump-7." in text
    assert cells(text, "flow.fall") == ["flow.fall", "taken", "–"]
    assert cells(text, "one prediction takes")[1:] == ["1", "0.4"]
    assert cells(text, "site lyon") == ["site lyon on 4 machines", "15.8", "15.5"]
    assert cells(text, '/machines/pump-3"') == ["pump-3", "13 better", "17"]
    for path in ("left=2&right=1", "left=1&right=2"):
        told = client.get(f"/models/motor-health/compare?{path}").text
        assert (
            "motor-health/2 is better than motor-health/1 on the 5 machines that both were judged on" in told
        )
        assert "its RMSE is 0.47 to 0.56 times" in told
        assert "better on 5 of 5 machines" in told


def test_a_comparison_that_cannot_be_says_why_and_keeps_what_was_asked(
    client: FlaskClient, rollout: str
) -> None:
    base = "/models/motor-health/compare"
    assert "Both sides are the same version" in client.get(f"{base}?left=2&right=2").text
    assert "was judged before losses were kept by machine" in client.get(f"{base}?left=3&right=2").text
    for left, status in (("99", 404), ("x", 400), ("-1", 400), ("9" * 30, 400), ("%00", 400)):
        answer = client.get(f"{base}?left={left}&right=2")
        assert answer.status_code == status, left
    kept = client.get(f"{base}?left=99&right=2").text
    assert "<option selected>99</option>" in kept
    assert '<option value="2" selected>' in kept
    begun = client.get(base).text
    assert '<option value="5" selected>' in begun, "the newest"
    assert '<option value="2" selected>' in begun, "against the champion"


def test_lineage_goes_back_to_the_rows_and_forward_to_verdicts_and_the_table_says_the_same(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    hub.database.execute("UPDATE device_release SET release = 'motor-health/2'")
    text = client.get("/models/motor-health/2/lineage").text
    found = things(text)
    assert [*found] == [
        *("rows", "dataset", "feature set", "code", "run", "release", "approval", "bundle", "engine"),
        *("rollout", "devices", "predictions", "alarms"),
    ]
    assert found["dataset"]["url"] == f"/models/lineage/dataset/{'3f9a0c11d2e4' * 5}"
    assert found["engine"]["title"] == "linux-x86_64"
    assert found["rollout"]["url"] == f"/rollouts/{rollout}"
    assert (found["devices"]["title"], found["predictions"]["title"]) == ("3 devices", "5 machines")
    assert (found["alarms"]["title"], found["alarms"]["detail"]) == ("3 alarms", "1 right, 2 not judged")
    table = text.partition('id="h-things"')[2]
    for thing in found.values():
        assert f">{thing['title']}<" in table, thing["kind"]
        assert str(thing["detail"]) in table, thing["kind"]
        assert not thing["time"] or f'<time datetime="{thing["time"]}">' in table, thing["kind"]
    assert all(found[kind]["time"] for kind in ("approval", "rollout", "predictions"))
    counted = client.get("/models/motor-health/2/lineage/predictions").text
    assert f"{5 * (14 * 24 - 200)} predictions name it." in counted


def test_a_dataset_leads_to_its_runs_and_releases(client: FlaskClient, hub: Hub, rollout: str) -> None:
    refuse(hub, "motor-health/4", person="bob", reason="a drill")
    text = client.get(f"/models/lineage/dataset/{DATASET}").text
    by_name = client.get("/models/lineage/dataset/motor-health-b20000000000").text
    assert text.partition("<main")[2] == by_name.partition("<main")[2]  # the clock above goes on
    for told in ("31\u202f000 rows", "motor-health-r5", "motor-health/5", "refused by bob"):
        assert told in text
    assert '/machines/pump-7"' in text


def test_the_card_tells_what_the_command_writes(client: FlaskClient, rollout: str) -> None:
    text = client.get("/models/motor-health/2/card").text
    for told in (
        *("Passed the gate", "site tours", "0 to 260 h", "90% lie between -14 and +18 h", "3 in a row"),
        *("remaining life below 72", "pressure", "c4" * 32, "trees do no better on these features"),
    ):
        assert told in text, told
    assert cells(text, "pump-5") == ["pump-5", "18 h"]


def test_the_drawings_of_a_card_are_those_of_the_bundle_that_was_signed(
    enter: Enter, client: FlaskClient, hub: Hub, rollout: str
) -> None:
    path, card = hub.artifacts / "bundles" / "motor-health" / "2.zip", "/models/motor-health/2/card"
    assert 'class="plot"' not in client.get(card).text
    assert client.get(f"{card}.html").status_code == 404
    manifest = Registry(hub.database, hub.artifacts, hub.clock).get("motor-health/2").manifest
    mark = Mark(x=1, at=0, low=-1, high=1, told="1 h < 2 h left")
    axis = Axis(label="error, h", low=-1, high=1)
    found = Finding(heading="Error & life", html=ranges("Errors", axis, axis, [mark]), words="It is < 1 h.")
    gate = {"passed": True, "reason": ""}
    html = render(manifest, title="Pumps", gate=gate, metrics={}, found=[found], precisions=[])
    row = np.zeros((1, 1), np.float32)
    path.parent.mkdir(parents=True)
    write_bundle(
        path, Bundle(manifest=manifest, onnx=b"x", golden_inputs=row, golden_outputs=row, card_html=html)
    )
    hub.database.execute(
        "UPDATE model SET bundle_sha256 = %(hash)s WHERE version = 2", {"hash": file_sha256(path)}
    )
    text = client.get(card).text
    for drawn in (
        "Error &amp; life</h2>",
        'class="plot"',
        "<title>1 h &lt; 2 h left</title>",
        "It is &lt; 1 h.",
    ):
        assert drawn in text, drawn
    kept = client.get(f"{card}.html")
    assert (kept.text, kept.headers["Content-Disposition"]) == (
        html,
        "attachment; filename=motor-health-2-card.html",
    )
    lea = enter("lea", "viewer@lyon").client
    assert 'class="plot"' not in lea.get(card).text
    assert lea.get(f"{card}.html").status_code == 404
    path.write_bytes(path.read_bytes() + b" ")
    assert 'class="plot"' not in client.get(card).text


def test_who_sees_one_site_is_told_nothing_of_another(enter: Enter, hub: Hub, rollout: str) -> None:
    hub.database.execute("INSERT INTO site (name) VALUES ('tours'), ('brest')")
    hub.database.execute(
        "UPDATE device SET site = (SELECT id FROM site WHERE name = 'tours') WHERE name = 'cell-3'"
    )
    worse = (
        '{"reason": "site tours: 18 against 15", "checks": [{"name": "parts", "passed": false, "bar": "", '
    )
    worse += '"found": "site tours: 18"}]}'
    hub.database.execute("UPDATE model SET gate = gate || %(gate)s::jsonb", {"gate": worse})
    hub.database.execute("UPDATE device_release SET release = 'motor-health/2'")
    lea = enter("lea", "admin@lyon").client
    release = "/models/motor-health/2"
    pages = ("", "/5", "/2", "/2/card", "/2/lineage", "/compare?left=5&right=2")
    for path in (*(f"/models/motor-health{page}" for page in pages), f"/models/lineage/dataset/{DATASET}"):
        text = lea.get(path).text
        for name in ("tours", "pump-5", "cell-3"):
            assert name not in text, (path, name)
    assert "another site: 18 against 15" in lea.get(release).text
    found = things(lea.get(f"{release}/lineage").text)
    assert (found["devices"]["title"], found["alarms"]["detail"]) == ("2 devices", "1 right, 1 not judged")
    assert "predictions name it" not in lea.get(f"{release}/lineage/predictions").text
    assert "more at sites you may not see" in lea.get(f"/models/lineage/dataset/{DATASET}").text
    for act in ("train", "5/approve", "5/refuse"):
        assert lea.get(f"/models/motor-health/{act}").status_code == 403
    eva = enter("eva", "admin@brest").client
    assert rollout not in eva.get("/models/motor-health").text
    assert rollout not in eva.get(f"{release}/lineage").text


def test_what_people_wrote_is_text_on_every_page(client: FlaskClient, hub: Hub, rollout: str) -> None:
    evil = "<script>alert(1)</script>\"'&{{7*7}}"
    refuse(hub, "motor-health/5", person="bob", reason=evil)
    hub.database.execute("UPDATE approval SET override = %(evil)s", {"evil": evil})
    note(hub, actor=evil, action="retrain.request", subject="motor-health-r2")
    for page in (
        "",
        "/5",
        "/5/lineage",
        "/5/approve",
        "/5/refuse",
        "/2",
        "/2/card",
        "/2/lineage",
        "/compare",
    ):
        text = client.get(f"/models/motor-health{page}").text
        assert "<script>alert" not in text, page
    assert things(client.get("/models/motor-health/5/lineage").text)["refusal"]["detail"] == f"by bob: {evil}"


def test_what_if_says_what_is_missing_and_offers_another_machine(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    hub.database.execute("DELETE FROM feature")
    answer = client.get("/models/motor-health/2/what-if?machine=pump-1")
    assert answer.status_code == 200
    assert "The features that pump-1 was last predicted from are not stored" in answer.text
    assert '<option value="pump-1" selected>' in answer.text
    assert '<option value="pump-2">' in answer.text
