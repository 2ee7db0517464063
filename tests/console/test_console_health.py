"""Up, ready, measured: what watches the hub from outside."""

import pytest
from flask.testing import FlaskClient

from cloud_hub.hub import Hub


def test_a_hub_whose_database_lacks_a_migration_is_up_and_not_ready(stranger: FlaskClient, hub: Hub) -> None:
    assert stranger.get("/readyz").json == {"status": "ready"}
    hub.database.execute("DELETE FROM migration WHERE name = '0013_plant'")
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "not ready", "missing_migrations": ["0013_plant"]},
    )
    assert stranger.get("/healthz").status_code == 200


def test_a_database_without_any_schema_is_not_ready(stranger: FlaskClient, hub: Hub) -> None:
    hub.database.execute("DROP TABLE migration")
    answer = stranger.get("/readyz")
    assert answer.status_code == 503
    assert "0001_first" in answer.json["missing_migrations"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_without_its_database_the_hub_is_neither_up_nor_ready(
    stranger: FlaskClient, hub: Hub, path: str
) -> None:
    hub.database.close()
    answer = stranger.get(path)
    assert (answer.status_code, set(answer.json)) == (503, {"error"})
    assert "password" not in answer.text
