"""Datasets on pages: what is in each, how good it is, what changed, and no machine's name for who may not see it."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from cloud_hub.console.data import dataset_view
from cloud_hub.dataset.snapshot import Dataset
from cloud_hub.hub import Hub
from tests.console.console_people import Browser

Enter = Callable[..., Browser]

OLD = "motor-health-3f9a0c11d2e4"  # as an older hub left it: its manifest says next to nothing


def plain(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def page(dataset: Dataset, **asked: str) -> str:
    return f"/data/datasets/{dataset.hash}?" + "&".join(f"{name}={value}" for name, value in asked.items())


def ids(text: str) -> list[str]:
    return re.findall(r'id="d-([^"]+)"', text)


def test_the_overview_lists_datasets_newest_first_and_by_use_case(
    client: FlaskClient, datasets: list[Dataset]
) -> None:
    first, second = datasets
    assert ids(client.get("/data").text) == [second.id, first.id, OLD]
    assert ids(client.get("/data?use_case=motor-health").text) == [OLD]
    nothing = client.get("/data?use_case=bearing-fault").text
    assert "No dataset of bearing-fault" in nothing
    assert 'aria-current="page">Data</a>' in nothing


def test_the_overview_tells_what_was_lost_and_what_waits(
    client: FlaskClient, hub: Hub, kept: dict[str, int]
) -> None:
    text = plain(client.get("/data").text)
    assert "agent-down at tours The agent did not run" in text
    assert "1 gap 60 min in all" in text.replace("\u202f", " ")
    assert f"{sum(1 for _ in kept) - 1 + 41} in quarantine" in text
    hub.database.execute("UPDATE gap SET noted = noted - interval '25 hours'")
    try:
        assert "Nothing was lost" in client.get("/data").text
    finally:
        hub.database.execute("UPDATE gap SET noted = noted + interval '25 hours'")


def test_a_dataset_tells_what_is_in_it(client: FlaskClient, datasets: list[Dataset]) -> None:
    dataset = datasets[1]
    by_id = client.get(f"/data/datasets/{dataset.id}")
    text = plain(client.get(page(dataset)).text)
    assert plain(by_id.text) == text
    manifest = dataset.manifest
    assert dataset.hash in text
    assert f"Rows {dataset.rows} of 9 machines" in text
    assert f"Lives {dataset.lives} failed, {manifest['censored_lives']} did not yet" in text
    assert "by andon 0.2.0" in text
    assert f"17 of trend/1 {manifest['feature_set_version'][:12]}" in text
    assert f"Known sound {manifest['health']['sound']} rows" in text
    assert "turbofan-run-1 done" in text
    assert "pressure.last" in text


def test_a_report_of_quality_says_what_it_means_and_what_to_do(
    client: FlaskClient, datasets: list[Dataset]
) -> None:
    text = plain(client.get(page(datasets[1])).text)
    assert "Quality 3 things to look into" in text
    assert text.index("Moments told twice may mislead") < text.index("Missing rows costs something")
    assert "told twice with other values on engine-4" in text
    assert "see the incidents and the quarantine" in text
    missing = datasets[1].manifest["quality"]["machines"]["engine-8"]["missing"]
    assert f"engine-8 117 {missing * 100:.0f} %" in text
    sound = plain(client.get(page(datasets[0])).text)
    assert "Quality nothing found" in sound
    assert "Moments told twice" not in sound


def test_an_older_dataset_says_less_and_its_page_opens(client: FlaskClient) -> None:
    text = plain(client.get(f"/data/datasets/{OLD}").text)
    assert "not measured by the hub that made it" in text
    assert "motor-health/1 released champion" in text
    assert "There is no other dataset of motor-health yet" in text


def test_two_datasets_are_compared_from_the_older_to_the_newer(
    client: FlaskClient, datasets: list[Dataset]
) -> None:
    first, second = datasets
    text = plain(client.get(page(second, against=first.id)).text)
    assert "Rows 792 793 +1" in text
    assert "0 came, 0 went, 1 have other rows engine-8: +1 rows" in text
    assert "code: andon 0.1.0 became andon 0.2.0" in text
    assert "3 new, 0 gone" in text
    assert "Rows 793 792 −1" in plain(client.get(page(first, against=second.hash)).text)
    assert "It is the same dataset" in client.get(page(second, against=second.id)).text
    assert "of different use cases" in client.get(page(second, against=OLD)).text


def test_a_feature_is_drawn_as_its_rows_lie(client: FlaskClient, datasets: list[Dataset]) -> None:
    first, second = datasets
    text = client.get(page(second, against=first.id, feature="temperature.last")).text
    drawn = json.loads(re.search(r"data-lies='([^']+)'", text)[1])
    assert drawn["name"] == "temperature.last"
    assert drawn["here"] == second.manifest["distributions"]["temperature.last"]
    assert drawn["there"] == first.manifest["distributions"]["temperature.last"]
    counted = sum(drawn["here"]["counts"]) + drawn["here"]["below"] + drawn["here"]["above"]
    assert counted == second.rows
    assert text.count('<svg class="bars"') == len(second.manifest["features"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/data/datasets/nope", 404),
        ("/data/datasets/" + "f" * 64, 404),
        ("/data/datasets/" + "f" * 5000, 404),
        ("/data/datasets/{}?against=nope", 404),
        ("/data/datasets/{}?feature=nope", 400),
        ("/data/datasets/{}?page=0", 400),
        ("/data?page=-1", 400),
        ("/data?use_case=" + "x" * 101, 400),
        ("/data/datasets/{}%00", 400),
    ],
)
def test_what_is_not_there_or_absurd_is_said_in_words(
    client: FlaskClient, datasets: list[Dataset], path: str, status: int
) -> None:
    answer = client.get(path.format(datasets[0].hash))
    assert answer.status_code == status
    assert "<h1>" in answer.text


def test_who_sees_one_site_is_told_figures_and_no_machine_of_another(
    lyon: FlaskClient, client: FlaskClient, datasets: list[Dataset]
) -> None:
    first, second = datasets
    path = page(second, against=first.id)
    text = lyon.get(path).text
    assert "engine-" in client.get(path).text
    assert "engine-" not in text
    assert "tours" not in text
    assert f"<b>{second.rows}</b>" in text
    assert "for those who see every site" in text
    overview = lyon.get("/data").text
    assert ids(overview) == [second.id, first.id, OLD]
    assert "tours" not in overview
    assert "cell-3" not in overview


def test_many_datasets_are_paged(client: FlaskClient, hub: Hub) -> None:
    hub.database.execute(
        """INSERT INTO dataset SELECT 'many-' || lpad(n::text, 3, '0'), 'many', 'h' || n, 'x', 1, 1, 1, 'trend/1', '{}',
                  %(old)s - make_interval(mins => n) FROM generate_series(1, 45) AS n""",
        {"old": hub.clock.now() - timedelta(days=90)},
    )
    try:
        text = client.get("/data?use_case=many&page=3").text
        assert ids(text) == [f"many-{number:03}" for number in range(41, 46)]
        assert "41–45 of 45 datasets" in text
        assert "use_case=many&amp;page=2" in text
    finally:
        hub.database.execute("DELETE FROM dataset WHERE use_case = 'many'")


def test_a_small_histogram_is_one_path_that_leaves_out_empty_bars() -> None:
    assert dataset_view.bars({"counts": [0, 2, 1]}) == "M32 22v-22h27.5V22zM64 22v-11h27.5V22z"
    assert dataset_view.bars({"counts": [0, 0]}) == dataset_view.bars(None) == ""
