"""The repository as a client of The Update Framework sees it: only what was signed, never a step back."""

import stat
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from signing_client import fetched
from tuf.api.metadata import Metadata
from typer.testing import CliRunner

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError, TrustError
from cloud_hub.signing import keys
from cloud_hub.signing.cli import keys_app
from cloud_hub.signing.director import Director
from cloud_hub.signing.repository import Repository
from wire.directive import Directive, Directors


def in_the_future(**spans):
    return lambda: datetime.now(UTC) + timedelta(**spans)


def test_a_client_gets_a_published_bundle_and_nothing_unpublished(hub, bundle, tmp_path):
    published = Repository(hub).publish_bundle(bundle, "bundles/motor-health/1.zip")
    assert fetched(hub, tmp_path / "c", "bundles/motor-health/1.zip") == bundle.read_bytes()
    assert fetched(hub, tmp_path / "c", "bundles/motor-health/2.zip") is None
    assert published.bytes == 800


def test_the_directors_are_signed_offline_and_name_the_directors_key(hub, tmp_path):
    directors = Directors.from_json(fetched(hub, tmp_path / "c", "directors.json"))
    directive = Directive(
        device="d", key_fingerprint="f", use_case="u", release="u/1", bundle_path="bundles/u/1.zip",
        bundle_sha256="0" * 64, sequence=1, issued_us=1, expires_us=2, rollout="r",
    )  # fmt: skip
    signed, again = Director.of(HubConfig(state_dir=hub)).sign_all([directive, directive])
    assert signed == again
    (director,) = directors.directors
    assert signed.key_id == director.key_id
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(director.public_key))
    key.verify(signed.signature, signed.payload)


def test_publishing_again_is_a_no_op_and_other_bytes_under_the_same_path_are_refused(hub, bundle):
    repository = Repository(hub)
    first = repository.publish_bundle(bundle, "bundles/motor-health/1.zip")
    before = sorted(repository.metadata_folder.iterdir())
    assert repository.publish_bundle(bundle, "bundles/motor-health/1.zip") == first
    assert sorted(repository.metadata_folder.iterdir()) == before
    bundle.write_bytes(b"something else")
    with pytest.raises(ConflictError, match="keeps its contents for ever"):
        repository.publish_bundle(bundle, "bundles/motor-health/1.zip")


@pytest.mark.parametrize(
    "path", ["engines/x", "bundles/../keys", "bundles", "/bundles/a", "bundles/.a", "directors.json"]
)
def test_a_path_outside_the_bundles_is_refused(hub, bundle, path):
    with pytest.raises(TrustError, match="expected a target path"):
        Repository(hub).publish_bundle(bundle, path)


def test_versions_follow_the_seconds_so_that_a_restored_hub_is_not_a_rollback(hub, bundle):
    later = Repository(hub, now=in_the_future(days=1))
    later.publish_bundle(bundle, "bundles/a/1.zip")
    seconds = later.roles()["bundles"].signed.version
    assert seconds >= datetime.now(UTC).timestamp() + 86_000
    Repository(hub).publish_bundle(bundle, "bundles/a/2.zip")  # the clock went back a day
    assert Repository(hub).roles()["bundles"].signed.version == seconds + 1


def test_a_timestamp_is_signed_anew_before_it_ends_and_not_all_the_time(hub):
    assert Repository(hub).refresh_timestamp() is False
    assert Repository(hub, now=in_the_future(days=8)).refresh_timestamp() is True
    assert Repository(hub, now=in_the_future(days=9)).refresh_timestamp() is False
    assert Repository(hub, now=in_the_future(days=60)).refresh_timestamp() is True
    roles = Repository(hub).roles()
    assert roles["snapshot"].signed.expires > datetime.now(UTC) + timedelta(days=140)


def test_two_processes_that_publish_at_once_lose_nothing(hub, tmp_path):
    def publish(number):
        file = tmp_path / f"{number}.zip"
        file.write_bytes(b"%d" % number)
        Repository(hub).publish_bundle(file, f"bundles/a/{number}.zip")

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Repository(hub).roles()["bundles"].signed.targets) == 8
    assert fetched(hub, tmp_path / "c", "bundles/a/5.zip") == b"5"


def test_root_needs_two_of_three_keys(hub):
    root = Metadata.from_file(str(hub / "repository" / "metadata" / "root.json"))
    signatures = list(root.signatures)
    root.verify_delegate("root", root)
    root.signatures.pop(signatures[0])
    root.verify_delegate("root", root)
    root.signatures.pop(signatures[1])
    with pytest.raises(Exception, match="1/2"):
        root.verify_delegate("root", root)


def test_keys_are_private_and_never_overwritten(hub, tmp_path):
    files = [*(hub / "keys" / "online").glob("*.pem"), *(tmp_path / "offline").glob("*.pem")]
    assert len(files) == 10
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "offline").stat().st_mode) == 0o700
    contents = [file.read_bytes() for file in files]
    with pytest.raises(ConflictError, match="never overwritten"):
        keys.init(hub, tmp_path / "elsewhere")
    with pytest.raises(ConflictError, match="never overwritten"):
        keys.init(tmp_path / "hub2", tmp_path / "offline")
    assert [file.read_bytes() for file in files] == contents


def test_the_command_makes_keys_once_and_shows_them(tmp_path, monkeypatch):
    (tmp_path / "hub.toml").write_text("")
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(tmp_path / "hub.toml"))
    words = [
        "init",
        "--offline",
        str(tmp_path / "off"),
        "--offline-passphrase-file",
        str(tmp_path / "secret"),
    ]
    made = CliRunner().invoke(keys_app, words)
    assert made.exit_code == 0, made.output
    assert "2 of 3" in made.output
    again = CliRunner().invoke(keys_app, words)
    assert isinstance(again.exception, ConflictError)
    shown = CliRunner().invoke(keys_app, ["status", "--json"])
    assert '"role": "root"' in shown.output


def test_without_keys_every_use_says_how_to_make_them(tmp_path):
    with pytest.raises(TrustError, match="andon keys init"):
        Repository(tmp_path).refresh_timestamp()
    with pytest.raises(TrustError, match="andon keys init"):
        keys.status(tmp_path)
