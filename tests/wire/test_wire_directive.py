import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wire.directive import Accepted, Directive, Director, Directors, SignedDirective, accept, sign
from wire.errors import (
    DirectiveConflictError,
    DirectiveError,
    DowngradeError,
    ExpiredError,
    MessageError,
    NotAuthorisedError,
    SignatureError,
    WrongDeviceError,
)

FACTORY = Ed25519PrivateKey.generate()
STRANGER = Ed25519PrivateKey.generate()
WISH = Directive(
    device="press-04",
    key_fingerprint="ab" * 32,
    use_case="motor-health",
    release="motor-health/3",
    bundle_path="bundles/motor-health-3.bundle",
    bundle_sha256="cd" * 32,
    sequence=7,
    issued_us=100,
    expires_us=1_000,
    rollout="r1",
)


def director(key: Ed25519PrivateKey, **scope: tuple[str, ...]) -> Director:
    return Director(public_key=key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(), **scope)


def offer(
    signed: SignedDirective,
    *,
    trusted: Director | None = None,
    accepted: Accepted | None = None,
    device: str = "press-04",
    fingerprint: str = "ab" * 32,
    use_case: str = "motor-health",
    now_us: int = 500,
) -> Directive | None:
    directors = Directors(directors=(trusted or director(FACTORY),))
    return accept(
        signed, directors, device=device, key_fingerprint=fingerprint, site="lyon", use_case=use_case,
        accepted=accepted, now_us=now_us,
    )  # fmt: skip


def test_a_wish_for_this_device_is_followed() -> None:
    assert offer(SignedDirective.from_bytes(sign(WISH, FACTORY).to_bytes())) == WISH


def test_the_same_wish_again_asks_for_nothing() -> None:
    signed = sign(WISH, FACTORY)
    assert offer(signed, accepted=Accepted(sequence=7, sha256=signed.sha256), now_us=5_000) is None


@pytest.mark.parametrize(
    ("signed", "others", "error"),
    [
        (sign(WISH, STRANGER), {}, SignatureError),
        (
            replace(sign(WISH, FACTORY), payload=sign(WISH, FACTORY).payload.replace(b"7", b"8")),
            {},
            SignatureError,
        ),
        (replace(sign(WISH, STRANGER), key_id=director(FACTORY).key_id), {}, SignatureError),
        (sign(WISH, FACTORY), {"device": "press-05"}, WrongDeviceError),
        (sign(WISH, FACTORY), {"fingerprint": "00" * 32}, WrongDeviceError),
        (sign(WISH, FACTORY), {"use_case": "pump-anomaly"}, WrongDeviceError),
        (
            sign(WISH, FACTORY),
            {"trusted": director(FACTORY, use_cases=("pump-anomaly",))},
            NotAuthorisedError,
        ),
        (sign(WISH, FACTORY), {"trusted": director(FACTORY, sites=("paris",))}, NotAuthorisedError),
        (sign(WISH, FACTORY), {"accepted": Accepted(sequence=8, sha256="")}, DowngradeError),
        (sign(WISH, FACTORY), {"accepted": Accepted(sequence=7, sha256="00")}, DirectiveConflictError),
        (sign(WISH, FACTORY), {"now_us": 1_000}, ExpiredError),
    ],
)
def test_what_must_not_be_followed_is_refused_by_name(
    signed: SignedDirective, others: dict[str, object], error: type[DirectiveError]
) -> None:
    with pytest.raises(error):
        offer(signed, **others)  # type: ignore[arg-type]  # each row names its own


def test_a_forged_directive_is_not_even_parsed() -> None:
    nonsense = SignedDirective(payload=b"not json", key_id=director(FACTORY).key_id, signature=b"0" * 64)
    with pytest.raises(SignatureError):
        offer(nonsense)


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"payload":"!","key_id":"","signature":""}', b"{}"])
def test_garbage_is_not_a_directive(payload: bytes) -> None:
    with pytest.raises(MessageError):
        SignedDirective.from_bytes(payload)


def test_directors_survive_a_round_trip_and_bad_keys_are_refused() -> None:
    directors = Directors(directors=(director(FACTORY, use_cases=("a",)), director(STRANGER)))
    assert Directors.from_json(directors.to_json()) == directors
    bad = json.loads(directors.to_json())
    bad["directors"][0]["public_key"] = "00"
    with pytest.raises(MessageError):
        Directors.from_json(json.dumps(bad).encode())
