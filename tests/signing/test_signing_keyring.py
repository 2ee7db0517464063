"""Private keys: sealed where they lie or with a signer elsewhere, and what is said when one cannot be used."""

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from rollout_world import World
from signing_client import fetched
from typer.testing import CliRunner

from cloud_hub.config import HubConfig, SigningSettings
from cloud_hub.errors import ConfigError, TrustError
from cloud_hub.hub import person
from cloud_hub.signing import keys, passphrase, rotation
from cloud_hub.signing.cli import keys_app
from cloud_hub.signing.director import Director
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.standing import note_offline
from wire.directive import Directive, Directors, accept

SECRET = b"a long enough passphrase"

DIRECTIVE = Directive(
    device="d", key_fingerprint="f", use_case="u", release="u/1", bundle_path="bundles/u/1.zip",
    bundle_sha256="0" * 64, sequence=1, issued_us=1, expires_us=2, rollout="r",
)  # fmt: skip


@pytest.fixture
def configured(hub, monkeypatch):
    """The hub's configuration file, which the commands find."""
    file = hub / "hub.toml"
    file.write_text("")
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(file))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return file


def call(*words, **more):
    return CliRunner().invoke(keys_app, list(words), **more)


def plain(ring, name):
    """Write the key of ``name`` as an older version did."""
    (signer,) = ring.signers(name)
    file = ring.folder / f"{name}.pem"
    file.write_bytes(signer.private_bytes)
    return file


def outside(tmp_path, name, private=None):
    """A key of another machine: its URI, its public half here."""
    key = private or Ed25519PrivateKey.generate()
    (tmp_path / f"{name}.private").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    public = tmp_path / f"{name}.pub"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return f"file2:{tmp_path / name}.private", public


def remote(tmp_path, *names, **keys_of_theirs):
    named = {name: outside(tmp_path, name, keys_of_theirs.get(name)) for name in names}
    return SigningSettings(
        uris={name: uri for name, (uri, _) in named.items()},
        public_keys={name: public for name, (_, public) in named.items()},
    )


# ------------------------------------------------------------------ sealed


def test_no_key_file_holds_a_plain_key(tmp_path):
    keys.init(tmp_path / "hub", tmp_path / "offline", offline_secret=lambda: SECRET)
    files = [*tmp_path.rglob("*.pem")]
    assert len(files) == 8
    for file in files:
        assert file.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    place = tmp_path / "hub" / "keys" / "passphrase"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    rotation.replace(
        Repository(tmp_path / "hub", offline=Keyring(tmp_path / "offline", lambda: SECRET)),
        ["root-1", "timestamp", "director"],
    )
    assert not any(b"-----BEGIN PRIVATE KEY" in file.read_bytes() for file in tmp_path.rglob("*.pem"))


def test_a_wrong_passphrase_is_told_with_the_file_it_does_not_open(hub):
    (hub / "keys" / "passphrase").write_text("another passphrase\n")
    with pytest.raises(
        TrustError, match=r"director.pem is sealed with another passphrase than the one given"
    ):
        Director.of(HubConfig(state_dir=hub)).sign(DIRECTIVE)
    (hub / "keys" / "passphrase").unlink()
    with pytest.raises(TrustError, match=r"no passphrase of the keys at .*keys/passphrase .*LoadCredential"):
        Repository(hub).republish()
    (hub / "keys" / "passphrase").write_text("short")
    with pytest.raises(TrustError, match="expected a passphrase of 12 to 1024 characters in one line, got 5"):
        Repository(hub).republish()


def test_a_wrong_offline_passphrase_makes_nothing(tmp_path):
    keys.init(tmp_path / "hub", tmp_path / "offline", offline_secret=lambda: SECRET)
    before = sorted(tmp_path.rglob("*"))
    mistaken = Repository(tmp_path / "hub", offline=Keyring(tmp_path / "offline", lambda: b"mistaken"))
    for name in ("root-1", "targets", "bundles", "director"):
        with pytest.raises(TrustError, match="sealed with another passphrase"):
            rotation.replace(mistaken, [name])
    assert sorted(tmp_path.rglob("*")) == before


def test_the_passphrase_comes_from_systemd_before_any_file(hub, tmp_path, monkeypatch):
    place = passphrase.online_place(hub, SigningSettings())
    (tmp_path / "andon-keys").write_bytes(place.read_bytes())
    place.unlink()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    Repository(hub).republish()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    settings = SigningSettings(passphrase_file=tmp_path / "andon-keys")
    Repository.of(HubConfig(state_dir=hub, signing=settings)).republish()


def test_plain_keys_of_an_older_version_are_used_warned_of_and_sealed_in_place(hub, configured, tmp_path):
    ring = Keyring.online(hub)
    file = plain(ring, "timestamp")
    before = Repository(hub).republish()
    assert {row.role: row.warning for row in keys.status(hub)}["timestamp"] == (
        "its key is not sealed: `andon keys encrypt`"
    )
    assert json.loads(call("encrypt", "--json").stdout) == {"sealed": ["timestamp.pem"]}
    assert b"ENCRYPTED" in file.read_bytes()
    assert Repository(hub).republish() > before
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    words = ("encrypt", "--offline", str(tmp_path / "offline"), "--offline-passphrase-file", str(secret))
    assert "root-1.pem, root-2.pem, root-3.pem, targets.pem" in call(*words).output
    assert "is sealed already" in call(*words).output
    with pytest.raises(TrustError, match="is sealed, and no passphrase was given"):
        Keyring(tmp_path / "offline", None).signers("targets")


# ------------------------------------------------------------------ a signer elsewhere


def test_keys_of_a_signer_elsewhere_are_used_and_are_never_on_this_machine(tmp_path, bundle):
    settings = remote(tmp_path, "timestamp", "bundles", "director")
    config = HubConfig(state_dir=tmp_path / "hub", signing=settings)
    keys.init(config.state_dir, tmp_path / "offline", settings=settings)
    assert [file.name for file in (config.state_dir / "keys" / "online").glob("*.pem")] == ["snapshot.pem"]
    Repository.of(config).publish_bundle(bundle, "bundles/a/1.zip")
    assert fetched(config.state_dir, tmp_path / "c", "bundles/a/1.zip") == bundle.read_bytes()
    directors = Directors.from_json(fetched(config.state_dir, tmp_path / "c", "directors.json"))
    signed = Director.of(config).sign(DIRECTIVE)
    facts = {
        "device": "d",
        "key_fingerprint": "f",
        "site": "s",
        "use_case": "u",
        "accepted": None,
        "now_us": 1,
    }
    assert accept(signed, directors, **facts) == DIRECTIVE
    standing = {row.role: row.warning for row in keys.status(config.state_dir, settings=settings)}
    assert (standing["timestamp"], standing["bundles"], standing["director"]) == ("", "", "")


def test_a_key_of_a_signer_elsewhere_is_replaced_by_another_of_its_keys(tmp_path):
    old = remote(tmp_path, "timestamp")
    config = HubConfig(state_dir=tmp_path / "hub", signing=old)
    keys.init(config.state_dir, tmp_path / "offline", settings=old)
    offline = Keyring(tmp_path / "offline", None)
    with pytest.raises(TrustError, match=r"name it as timestamp.next in signing.uris"):
        rotation.replace(Repository.of(config, offline), ["timestamp"])
    new = remote(tmp_path, "timestamp.next")
    both = SigningSettings(uris=old.uris | new.uris, public_keys=old.public_keys | new.public_keys)
    config = HubConfig(state_dir=config.state_dir, signing=both)
    rotation.replace(Repository.of(config, offline), ["timestamp"])
    assert fetched(config.state_dir, tmp_path / "c", "directors.json")
    after = SigningSettings(
        uris={"timestamp": new.uris["timestamp.next"]},
        public_keys={"timestamp": new.public_keys["timestamp.next"]},
    )
    Repository.of(HubConfig(state_dir=config.state_dir, signing=after)).republish()
    assert fetched(config.state_dir, tmp_path / "c", "directors.json")
    with pytest.raises(TrustError, match="timestamp: devices expect it to be signed by key"):
        Repository.of(HubConfig(state_dir=config.state_dir, signing=old)).republish()


def test_a_directors_key_that_is_not_ed25519_is_refused_by_name(tmp_path):
    settings = remote(tmp_path, "director", director=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(TrustError, match="Ed25519 keys alone, the director's is ecdsa"):
        keys.init(tmp_path / "hub", tmp_path / "offline", settings=settings)


def test_a_signer_that_does_not_answer_is_told_by_its_name_and_kind(hub, tmp_path):
    uri, public = outside(tmp_path, "timestamp")
    (tmp_path / "timestamp.private").unlink()
    for unusable in (uri, "nosuch:thing"):
        settings = SigningSettings(uris={"timestamp": unusable}, public_keys={"timestamp": public})
        kind = unusable.partition(":")[0]
        with pytest.raises(TrustError, match=f"the key timestamp cannot be used through {kind}: "):
            Repository.of(HubConfig(state_dir=hub, signing=settings)).republish()


def test_a_uri_without_its_public_key_is_refused_in_the_configuration(tmp_path):
    with pytest.raises(
        ConfigError, match=r"signing.uris and signing.public_keys of the same keys, bundles has"
    ):
        HubConfig.parse({"state_dir": str(tmp_path), "signing": {"uris": {"bundles": "hsm:1"}}}, origin="x")


# ------------------------------------------------------------------ how they stand


def test_status_warns_of_what_ends_of_keys_that_are_wrong_and_of_offline_keys_left_here(hub, tmp_path):
    note_offline(hub, tmp_path / "usb-stick")
    assert {row.warning for row in keys.status(hub)} == {""}
    note_offline(hub, tmp_path / "offline")
    (hub / "keys" / "online" / "timestamp.pem").unlink()
    ring = Keyring.online(hub)
    ring.make("snapshot.next")
    (hub / "keys" / "online" / "bundles.pem").unlink()
    ring.make("bundles")
    warned = {row.role: row.warning for row in keys.status(hub)}
    assert "still on this machine" in warned["root"]
    assert "`andon keys encrypt --offline DIR`" in warned["targets"]
    assert "`andon keys revoke timestamp --offline DIR` replaces a lost one" in warned["timestamp"]
    assert "cut short: run `andon keys rotate snapshot`" in warned["snapshot"]
    assert "not the one that devices expect" in warned["bundles"]
    late = {row.role: row for row in keys.status(hub, now=datetime.now(UTC) + timedelta(days=1800))}
    assert "`andon keys renew --offline DIR`" in late["root"].warning
    assert not late["root"].expired
    assert late["timestamp"].expired
    assert "expired: devices refuse every update" in late["timestamp"].warning


def test_status_ends_with_1_once_something_has_expired(hub, configured):
    assert call("status").exit_code == 0
    Repository(hub, now=lambda: datetime.now(UTC) - timedelta(days=15)).press.publish({})
    shown = call("status", "--json")
    rows = {row["role"]: row for row in json.loads(shown.stdout)}
    assert (shown.exit_code, rows["timestamp"]["expired"], rows["root"]["expired"]) == (1, True, False)


# ------------------------------------------------------------------ the commands


def test_init_asks_on_a_terminal_or_names_both_ways(tmp_path, monkeypatch):
    (tmp_path / "hub.toml").write_text("")
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(tmp_path / "hub.toml"))
    refused = call("init", "--offline", str(tmp_path / "off"))
    assert isinstance(refused.exception, ConfigError)
    assert "--offline-passphrase-file, or run this on a terminal" in str(refused.exception)
    assert not (tmp_path / "off").exists()
    assert not (tmp_path / "keys").exists()


def test_a_command_says_what_it_did_and_what_is_next(hub, configured, tmp_path):
    offline = ("--offline", str(tmp_path / "offline"), "--offline-passphrase-file", str(tmp_path / "secret"))
    (tmp_path / "secret").write_bytes(SECRET)
    done = call("rotate", "root-1", "timestamp", *offline)
    assert done.exit_code == 0, done.output
    assert "in force: root 2" in done.output
    assert f"carry {tmp_path / 'offline'} away again" in done.output
    assert "this is not in the audit chain" in done.stderr
    facts = json.loads(call("revoke", "snapshot", *offline, "--json").stdout)
    assert facts["root_version"] == 3
    assert {*facts["keys"]} == {"snapshot", "timestamp"}
    assert SECRET.decode() not in done.output
    for target in ("toaster", "cpu"):  # nothing is compiled for a device that runs the ONNX itself
        unknown = call("delegate", "--engine-target", target, *offline)
        assert "one of agx-orin-jp7" in str(unknown.exception)
    nowhere = call("rotate", "root-1", "--offline", str(tmp_path / "nowhere"))
    assert "holds no keys" in str(nowhere.exception)


def test_which_bundles_are_ours_has_to_be_known_before_a_stolen_key_is_revoked(
    hub, configured, bundle, tmp_path
):
    offline = ("--offline", str(tmp_path / "offline"), "--offline-passphrase-file", str(tmp_path / "secret"))
    (tmp_path / "secret").write_bytes(SECRET)
    for version in (1, 2):
        Repository(hub).publish_bundle(bundle, f"bundles/a/{version}.zip")
    refused = call("revoke", "bundles", *offline)
    assert "name each by --keep PATH, or say --keep-listed" in str(refused.exception)
    kept = call("revoke", "bundles", *offline, "--keep", "bundles/a/2.zip")
    assert "no longer listed, not known to be ours: bundles/a/1.zip" in kept.output
    assert fetched(hub, tmp_path / "c", "bundles/a/2.zip")
    assert "no longer" not in call("revoke", "bundles", *offline, "--keep-listed").output


def test_what_the_database_does_not_know_is_unlisted_and_the_audit_chain_tells_who_did_it(
    hub, configured, bundle, database, tmp_path
):
    configured.write_text(f'database_url = "{database}"\n')
    ours = Repository(hub).publish_bundle(bundle, "bundles/motor-health/1.zip")
    Repository(hub).publish_bundle(bundle, "bundles/motor-health/2.zip")  # by a thief
    world = World(database)
    world.add_release(1)
    world.database.execute(
        "UPDATE model SET bundle_path = %(path)s, bundle_sha256 = %(sha256)s",
        {"path": ours.target_path, "sha256": ours.sha256},
    )
    (tmp_path / "secret").write_bytes(SECRET)
    offline = ("--offline", str(tmp_path / "offline"), "--offline-passphrase-file", str(tmp_path / "secret"))
    done = call("revoke", "bundles", *offline, "--json")
    assert json.loads(done.stdout)["dropped"] == ["bundles/motor-health/2.zip"]
    assert fetched(hub, tmp_path / "c", "bundles/motor-health/1.zip")
    told = world.database.row("SELECT * FROM audit WHERE action = 'keys.revoke'")
    assert (told["actor"], told["subject"]) == (person(), "bundles")
    assert told["detail"]["dropped"] == ["bundles/motor-health/2.zip"]
    world.close()
