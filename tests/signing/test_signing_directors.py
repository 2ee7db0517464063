"""Who may direct: several directors with their scopes, one that is replaced, one that is stolen."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from signing_client import fetched
from typer.testing import CliRunner

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError, NotFoundError, TrustError
from cloud_hub.signing import directors, keys, rotation
from cloud_hub.signing.cli import keys_app
from cloud_hub.signing.director import Director
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository
from wire.directive import Directive, Directors, accept, sign
from wire.errors import NotAuthorisedError, SignatureError

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def owner(hub, tmp_path):
    return Repository(hub, offline=Keyring(tmp_path / "offline", None))


@pytest.fixture
def public_key(tmp_path):
    """A second director's, as its owner hands it over; the private half beside it."""
    key = Ed25519PrivateKey.generate()
    file = tmp_path / "second.pub"
    file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file, key


@pytest.fixture
def call(hub, tmp_path, monkeypatch):
    """Run `andon keys director …` with the offline keys at hand."""
    (hub / "hub.toml").write_text("")
    (tmp_path / "secret").write_text("a long enough passphrase")
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(hub / "hub.toml"))
    offline = ["--offline", str(tmp_path / "offline"), "--offline-passphrase-file", str(tmp_path / "secret")]

    def run(*words):
        more = [] if words[0] == "list" else offline
        return CliRunner().invoke(keys_app, ["director", *words, *more])

    return run


def directive(use_case="pump"):
    return Directive(
        device="d", key_fingerprint="f", use_case=use_case, release="u/1", bundle_path="bundles/u/1.zip",
        bundle_sha256="0" * 64, sequence=1, issued_us=1, expires_us=2, rollout="r",
    )  # fmt: skip


def judged(hub, folder, signed, use_case="pump", site="lyon"):
    """As a device judges it, by what its client takes from the repository."""
    known = Directors.from_json(fetched(hub, folder, "directors.json"))
    return accept(
        signed, known, device="d", key_fingerprint="f", site=site, use_case=use_case, accepted=None, now_us=1
    )


def own(hub):
    return Director.of(HubConfig(state_dir=hub))


def test_a_second_director_directs_within_its_scope_and_no_further(hub, tmp_path, call, public_key):
    file, key = public_key
    added = call("add", str(file), "--use-case", "pump", "--site", "lyon", "--site", "nantes")
    assert "may direct pump at lyon, nantes" in added.output
    signed = sign(directive(), key)
    assert judged(hub, tmp_path / "c", signed) == directive()
    with pytest.raises(NotAuthorisedError, match="may not direct site"):
        judged(hub, tmp_path / "c", signed, site="turin")
    with pytest.raises(NotAuthorisedError, match="may not direct 'fan'"):
        judged(hub, tmp_path / "c", sign(directive("fan"), key), use_case="fan")
    assert judged(hub, tmp_path / "c", own(hub).sign(directive()), site="turin") == directive()
    call("add", str(file))
    assert judged(hub, tmp_path / "c", signed, site="turin") == directive(), "its scope was replaced"
    assert len(json.loads(call("list", "--json").stdout)) == 2


def test_a_director_that_was_removed_directs_nobody(hub, tmp_path, call, public_key):
    file, key = public_key
    call("add", str(file))
    rows = {row["own"]: row["key_id"] for row in json.loads(call("list", "--json").stdout)}
    assert "directs nobody any more" in call("remove", rows[False][:12]).output
    with pytest.raises(SignatureError):
        judged(hub, tmp_path / "c", sign(directive(), key))
    assert isinstance(call("remove", rows[False]).exception, NotFoundError)
    refused = call("remove", rows[True]).exception
    assert isinstance(refused, ConflictError)
    assert "`andon keys revoke director`" in str(refused)


def test_no_other_kind_of_key_can_be_a_director(call, tmp_path):
    file = tmp_path / "ec.pub"
    key = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert "Ed25519 keys alone" in str(call("add", str(file)).exception)
    file.write_text("nothing")
    assert "cannot be read as a public key" in str(call("add", str(file)).exception)


def test_a_rotated_director_strands_no_directive_until_it_is_removed(hub, owner, tmp_path, call):
    before = own(hub).sign(directive())
    rotation.replace(owner, ["director"], old_director_leaves=datetime.now(UTC) + timedelta(days=7))
    assert judged(hub, tmp_path / "c", before) == directive()
    assert judged(hub, tmp_path / "c", own(hub).sign(directive())) == directive()
    assert "director remove" not in str(keys.status(hub))
    due = {row.role: row.warning for row in keys.status(hub, now=datetime.now(UTC) + timedelta(days=8))}
    assert f"{before.key_id[:12]} was replaced: `andon keys director remove" in due["director"]
    assert "replaced, remove after" in call("list").output.replace("\n", "")
    call("remove", before.key_id[:12])
    with pytest.raises(SignatureError):
        judged(hub, tmp_path / "c", before)


def test_a_revoked_director_and_those_it_replaced_direct_nobody_at_once(hub, owner, tmp_path):
    first = own(hub).sign(directive())
    rotation.replace(owner, ["director"], old_director_leaves=LATER)
    second = own(hub).sign(directive())
    rotation.replace(owner, ["director"])
    for stolen in (first, second):
        with pytest.raises(SignatureError):
            judged(hub, tmp_path / "c", stolen)
    assert judged(hub, tmp_path / "c", own(hub).sign(directive())) == directive()


def test_a_director_keeps_its_scope_when_its_key_is_replaced(hub, owner):
    (row,) = directors.listed(owner)
    scoped = type(row.director)(public_key=row.director.public_key, use_cases=("pump",), sites=("lyon",))
    directors.add(owner, scoped)
    rotation.replace(owner, ["director"])
    (row,) = directors.listed(owner)
    assert (row.director.use_cases, row.director.sites) == (("pump",), ("lyon",))


def test_of_several_directors_a_lost_key_is_not_guessed(hub, owner, call, public_key):
    call("add", str(public_key[0]))
    (hub / "keys" / "online" / "director.pem").unlink()
    with pytest.raises(TrustError, match="2 are listed: take its own off first"):
        rotation.replace(owner, ["director"])


def test_a_directors_key_that_devices_do_not_know_signs_nothing(hub):
    (hub / "keys" / "online" / "director.pem").unlink()
    Keyring.online(hub).make("director")
    with pytest.raises(TrustError, match=r"one of 1 that devices know, got .*`andon keys revoke director`"):
        own(hub).sign(directive())
