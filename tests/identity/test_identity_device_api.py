"""What the device listener gives to strangers: signed files, ranges of them, and nothing beside them."""

import json
from datetime import UTC, datetime

import pytest
from identity_requests import signing_request

from cloud_hub.identity import devices
from cloud_hub.signing.repository import Repository

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def client(repository_client):
    return repository_client[0]


@pytest.fixture
def bundle(repository_client, tmp_path):
    file = tmp_path / "bundle.zip"
    file.write_bytes(bytes(range(256)) * 40)
    published = Repository(repository_client[1]).publish_bundle(file, "bundles/motor-health/1.zip")
    return f"/targets/bundles/motor-health/{published.sha256}.1.zip"


def test_metadata_and_bundles_are_served_whole(client, bundle):
    with client.get("/metadata/timestamp.json") as answer:
        assert json.loads(answer.data)["signed"]["_type"] == "timestamp"
        assert answer.headers["Cache-Control"] == "no-cache, max-age=0"
    with client.get(bundle) as answer:
        assert len(answer.data) == 10_240
        assert "max-age=31536000" in answer.headers["Cache-Control"]


def test_a_download_can_be_resumed(client, bundle):
    with client.get(bundle, headers={"Range": "bytes=10000-"}) as answer:
        assert (answer.status_code, len(answer.data)) == (206, 240)
        assert answer.headers["Content-Range"] == "bytes 10000-10239/10240"


@pytest.mark.parametrize(
    "path",
    [
        "/metadata/..%2f..%2fkeys%2fonline%2fdirector.pem",
        "/metadata/../../keys/online/director.pem",
        "/metadata/TIMESTAMP.JSON",
        "/metadata/lock",
        "/targets/../keys/online/director.pem",
        "/targets/..%2f..%2fkeys%2fonline%2fdirector.pem",
        "/targets/bundles/../../../identity/ca/ca.key",
        "/targets//etc/passwd",
        "/targets/bundles",
        "/targets/bundles/.hidden",
        "/targets/" + "a/" * 50 + "b",
        "/targets/bundles/%00",
        "/keys/online/director.pem",
        "/identity/ca/ca.key",
        "/",
    ],
)
def test_no_path_leads_out_of_the_repository(client, bundle, path):
    with client.get(path, follow_redirects=True) as answer:
        assert answer.status_code == 404
        assert set(answer.json) == {"error"}


def test_a_link_in_the_repository_leads_nowhere(repository_client, client, bundle):
    state_dir = repository_client[1]
    repository = state_dir / "repository"
    (repository / "targets" / "bundles" / "link").symlink_to(state_dir / "keys/online/director.pem")
    with client.get("/targets/bundles/link") as answer:
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"[]", 403),
        (b"{}", 403),
        (b'{"token": 5, "csr": null}', 403),
        (b"[" * 10_000, 403),
        (b"\xff\xfe", 403),
        (b'{"token": "a.b.c", "csr": "not one"}', 403),
        (b"x" * 30_000, 413),
    ],
    ids=["nothing", "list", "empty", "wrong kinds", "nested", "not text", "no csr", "oversized"],
)
def test_a_bad_enrolment_is_one_sentence(client, body, status):
    answer = client.post("/enroll", data=body)
    assert (answer.status_code, set(answer.json)) == (status, {"error"})
    assert "Traceback" not in answer.text


def test_a_bad_signing_request_does_not_use_up_the_token(enrolling_hub):
    client = enrolling_hub.app.test_client()
    token = devices.add(
        enrolling_hub.database,
        enrolling_hub.authority,
        name="press-04",
        site="s",
        profile="generic",
        zone=None,
        now=NOW,
    )
    assert client.post("/enroll", data=json.dumps({"token": str(token), "csr": "no"})).status_code == 403
    good = client.post("/enroll", data=json.dumps({"token": str(token), "csr": signing_request().decode()}))
    assert good.status_code == 200
    assert good.json["device"] == "press-04"


def test_a_hub_without_keys_says_what_its_operator_must_do(enrolling_hub):
    client = enrolling_hub.app.test_client()
    (enrolling_hub.config.state_dir / "repository" / "metadata" / "root.json").unlink()
    token = devices.add(
        enrolling_hub.database,
        enrolling_hub.authority,
        name="press-04",
        site="s",
        profile="generic",
        zone=None,
        now=NOW,
    )
    answer = client.post("/enroll", data=json.dumps({"token": str(token), "csr": signing_request().decode()}))
    assert (answer.status_code, "andon keys init" in answer.json["error"]) == (503, True)
    assert enrolling_hub.database.row("SELECT redeemed FROM enrol_token")["redeemed"] is None


def test_a_method_that_is_not_offered_is_refused(client):
    assert client.delete("/ca.crt").status_code == 405
    assert client.get("/enroll").json == {"error": "Method Not Allowed: GET /enroll"}
