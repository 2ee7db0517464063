"""A directive: who shall run what, signed by a director over the exact bytes.

TUF says what may be installed at all; a directive says which device installs
it, in which order. The order of checks in :func:`accept` is the promise: until
a signature holds, every other field is the attacker's to choose.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wire.errors import (
    DirectiveConflictError,
    DowngradeError,
    ExpiredError,
    MessageError,
    NotAuthorisedError,
    SignatureError,
    WrongDeviceError,
    defect,
)

EVERY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    device: str
    key_fingerprint: str  # SHA-256 of the device certificate's public key (SPKI DER), hex
    use_case: str
    release: str
    bundle_path: str  # TUF target path
    bundle_sha256: str
    sequence: int  # per device and use case: max(previous + 1, hub milliseconds)
    issued_us: int
    expires_us: int
    rollout: str
    mode: str = "install"  # or "undo": back to a release it had
    correlation: str = ""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        try:
            fields = json.loads(payload)
            return cls(**{name: kind(fields[name]) for name, kind in _FIELDS.items()})
        except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise MessageError(f"not a directive: {defect(error)}") from error


_FIELDS: Mapping[str, Any] = {
    name: int if name in ("sequence", "issued_us", "expires_us") else str
    for name in Directive.__dataclass_fields__
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDirective:
    """The signed bytes exactly as sent; they are parsed only once they verify."""

    payload: bytes
    key_id: str
    signature: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()

    def to_bytes(self) -> bytes:
        fields = {
            "payload": base64.b64encode(self.payload).decode(),
            "key_id": self.key_id,
            "signature": base64.b64encode(self.signature).decode(),
        }
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, text: bytes) -> Self:
        try:
            fields = json.loads(text)
            return cls(
                payload=base64.b64decode(fields["payload"], validate=True),
                key_id=str(fields["key_id"]),
                signature=base64.b64decode(fields["signature"], validate=True),
            )
        except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise MessageError(f"not a signed directive: {defect(error)}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Director:
    """One key, and which use cases and sites it may direct ("*": every one)."""

    public_key: str  # raw Ed25519, hex
    use_cases: tuple[str, ...] = (EVERY,)
    sites: tuple[str, ...] = (EVERY,)

    @property
    def key_id(self) -> str:
        return hashlib.sha256(bytes.fromhex(self.public_key)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Directors:
    """The TUF target ``directors.json``: who may direct."""

    directors: tuple[Director, ...]

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        try:
            rows = json.loads(payload)["directors"]
            return cls(directors=tuple(_director(row) for row in rows))
        except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise MessageError(f"not a list of directors: {defect(error)}") from error


def _director(row: Mapping[str, Any]) -> Director:
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(row["public_key"]))
    return Director(
        public_key=str(row["public_key"]),
        use_cases=tuple(map(str, row["use_cases"])),
        sites=tuple(map(str, row["sites"])),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The directive a device accepted last for a use case."""

    sequence: int
    sha256: str


def sign(directive: Directive, key: Ed25519PrivateKey) -> SignedDirective:
    payload = directive.to_json()
    return SignedDirective(payload=payload, key_id=key_id(key.public_key()), signature=key.sign(payload))


def key_id(key: Ed25519PublicKey) -> str:
    """Hex SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def accept(
    signed: SignedDirective,
    directors: Directors,
    *,
    device: str,
    key_fingerprint: str,
    site: str,
    use_case: str,
    accepted: Accepted | None,
    now_us: int,
) -> Directive | None:
    """The directive to follow, None where it was accepted before, or the reason to refuse it.

    ``accepted`` is what this device accepted last for ``use_case``; the caller
    stores the new one durably before it acts.
    """
    director = _verified(signed, directors)
    directive = Directive.from_json(signed.payload)
    if (directive.device, directive.key_fingerprint) != (device, key_fingerprint):
        raise WrongDeviceError(
            f"directive is for {directive.device!r} and its key, this device is {device!r}"
        )
    if directive.use_case != use_case:
        raise WrongDeviceError(f"directive is for {directive.use_case!r}, it came as one for {use_case!r}")
    if not {directive.use_case, EVERY} & {*director.use_cases}:
        raise NotAuthorisedError(f"director {director.key_id[:12]} may not direct {directive.use_case!r}")
    if not {site, EVERY} & {*director.sites}:
        raise NotAuthorisedError(f"director {director.key_id[:12]} may not direct site {site!r}")
    if accepted is not None and directive.sequence <= accepted.sequence:
        _check_repeated(directive, signed, accepted)
        return None
    if directive.expires_us <= now_us:
        raise ExpiredError(
            f"directive {directive.sequence} expired at {directive.expires_us}, now is {now_us}"
        )
    return directive


def _verified(signed: SignedDirective, directors: Directors) -> Director:
    for director in directors.directors:
        if director.key_id == signed.key_id:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(director.public_key))
            try:
                key.verify(signed.signature, signed.payload)
            except InvalidSignature:
                break
            return director
    raise SignatureError(
        f"expected a signature by one of {len(directors.directors)} directors, got {signed.key_id[:12]!r}"
    )


def _check_repeated(directive: Directive, signed: SignedDirective, accepted: Accepted) -> None:
    if directive.sequence < accepted.sequence:
        raise DowngradeError(f"directive {directive.sequence} offered, {accepted.sequence} already accepted")
    if signed.sha256 != accepted.sha256:
        raise DirectiveConflictError(f"directive {directive.sequence} came again with other bytes")
