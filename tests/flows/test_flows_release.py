"""A candidate becomes a release by a person's word, a bundle and a signature; half of it is nothing."""

import pytest
from stored_machines import fleet

from cloud_hub.errors import ConflictError, GateError, NotFoundError
from cloud_hub.flows import candidate, publish
from cloud_hub.flows.release import approve, failure
from cloud_hub.flows.retrain import request
from cloud_hub.registry.models import Registry
from cloud_hub.registry.trace import trace
from cloud_hub.signing import keys
from cloud_hub.signing.repository import Repository
from wire.bundle import file_sha256, read_bundle

RELEASE = "turbofan-rul/1"


@pytest.fixture
def judged(hub, stored):
    """A hub with one judged model."""
    fleet(stored, machines=12)
    candidate.execute(hub, request(hub, "turbofan-rul", actor="ada", correlation="drift-7"))
    return hub


def set_state(hub, state):
    hub.database.execute("UPDATE model SET state = %(state)s", {"state": state})


def model_of(hub):
    return hub.database.row("SELECT * FROM model")


def settle(hub):
    """The queue is empty again."""
    hub.database.execute("DELETE FROM procrastinate_jobs")


def test_an_approved_candidate_is_bundled_signed_and_released_once(judged, tmp_path):
    keys.init(judged.config.state_dir, tmp_path / "offline")
    set_state(judged, "candidate")
    approve(judged, RELEASE, person="ada")
    publish.execute(judged, RELEASE)
    first = model_of(judged)
    assert (first["state"], first["bundle_path"]) == ("released", f"bundles/{RELEASE}.zip")
    bundle = judged.artifacts / first["bundle_path"]
    assert file_sha256(bundle) == first["bundle_sha256"]
    assert read_bundle(bundle).manifest.release == RELEASE
    targets = Repository(judged.config.state_dir).roles()["bundles"].signed.targets
    assert targets[first["bundle_path"]].hashes["sha256"] == first["bundle_sha256"]
    publish.execute(judged, RELEASE)
    approve(judged, RELEASE, person="bob")
    assert model_of(judged) == first
    rows = judged.database.rows(
        "SELECT actor, action, correlation FROM audit WHERE subject = %(r)s", {"r": RELEASE}
    )
    assert [(row["actor"], row["action"]) for row in rows] == [
        ("ada", "release.approve"),
        ("job:publish", "release.weigh"),
        ("job:publish", "release.publish"),
    ]
    assert {row["correlation"] for row in rows} == {"drift-7"}
    told = trace(Registry(judged.database, judged.artifacts, judged.clock), RELEASE).precisions
    assert [*told] == ["fp16", "int8"]
    assert {name for name, said in told.items() if said.startswith("yes: ")} == {
        *read_bundle(bundle).variants
    }


def test_a_publishing_killed_after_signing_is_finished_by_the_next(judged, tmp_path):
    keys.init(judged.config.state_dir, tmp_path / "offline")
    set_state(judged, "candidate")
    approve(judged, RELEASE, person="ada")
    publish.execute(judged, RELEASE)
    first = model_of(judged)
    judged.database.execute("UPDATE model SET state = 'approved', bundle_path = NULL, bundle_sha256 = NULL")
    publish.execute(judged, RELEASE)
    assert model_of(judged)["bundle_sha256"] == first["bundle_sha256"]
    (judged.artifacts / first["bundle_path"]).unlink()
    judged.database.execute("UPDATE model SET state = 'approved', bundle_path = NULL, bundle_sha256 = NULL")
    publish.execute(judged, RELEASE)
    assert model_of(judged)["bundle_sha256"] == first["bundle_sha256"], "the same model has the same bundle"


def test_what_the_gate_refused_needs_a_reason_to_be_approved(judged):
    set_state(judged, "refused")
    with pytest.raises(GateError, match=f"the gate refused {RELEASE}: .*say why"):
        approve(judged, RELEASE, person="ada", override="  ")
    approve(judged, RELEASE, person="ada", override="a drill")
    row = judged.database.row("SELECT person, override FROM approval")
    assert row == {"person": "ada", "override": "a drill"}
    assert model_of(judged)["state"] == "approved"


def test_a_publishing_that_fails_says_why_and_can_be_tried_again(judged, tmp_path):
    set_state(judged, "candidate")
    approve(judged, RELEASE, person="ada")
    assert failure(judged, RELEASE) == ""
    publish.execute(judged, RELEASE)
    settle(judged)
    assert failure(judged, RELEASE).startswith("there are no signing keys yet")
    assert model_of(judged)["state"] == "approved"
    keys.init(judged.config.state_dir, tmp_path / "offline")
    approve(judged, RELEASE, person="ada")
    assert failure(judged, RELEASE) == "", "the next try is under way"
    publish.execute(judged, RELEASE)
    settle(judged)
    assert (failure(judged, RELEASE), model_of(judged)["state"]) == ("", "released")


def test_what_nobody_approved_is_not_published(judged):
    set_state(judged, "candidate")
    with pytest.raises(ConflictError, match="expected turbofan-rul/1 to be approved, it is candidate"):
        publish.publish(judged, RELEASE)
    with pytest.raises(NotFoundError, match="no release named 'turbofan-rul/9'"):
        approve(judged, "turbofan-rul/9", person="ada")
