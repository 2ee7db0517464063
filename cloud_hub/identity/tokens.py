"""Enrolment tokens: a device may ask once for a certificate, and knows whom it asks.

A token is ``<device>.<secret>.<SHA-256 of the authority's certificate>``: the
last part lets a device that trusts nobody yet recognise the hub. The hub keeps
only a hash of the secret. Tokens end in real time, as everything about TLS does.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cloud_hub.errors import TrustError
from cloud_hub.store.database import Connection, Row, load_queries

LIFETIME = timedelta(hours=24)
LONGEST = 512

QUERIES = load_queries("cloud_hub.identity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    device: str
    secret: str
    fingerprint: str  # of the authority's certificate

    def __str__(self) -> str:
        return f"{self.device}.{self.secret}.{self.fingerprint}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a token; ``TrustError`` never repeats what was in it."""
        parts = text.strip().rsplit(".", 2) if len(text) <= LONGEST else []
        if len(parts) != 3 or not all(parts):
            raise TrustError("expected a token <device>.<secret>.<fingerprint>, got something else")
        return cls(device=parts[0], secret=parts[1], fingerprint=parts[2])

    @property
    def secret_sha256(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The device that a token or a certificate stands for, as the database knows it."""

    id: int
    name: str
    site: str
    zone: str  # IANA, of the site
    profile: str

    @classmethod
    def of(cls, row: Row) -> Self:
        return cls(**{field: row[field] for field in ("id", "name", "site", "zone", "profile")})


def create(
    connection: Connection,
    *,
    devices: Sequence[str],
    fingerprint: str,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> list[Token]:
    """A fresh token for each of ``devices``; the ones they had before end. ``now`` is real time."""
    made = [
        Token(device=device, secret=secrets.token_urlsafe(32), fingerprint=fingerprint) for device in devices
    ]
    connection.execute(QUERIES["forget_tokens"], {"devices": list(devices)})
    connection.execute(
        QUERIES["add_tokens"],
        {
            "devices": list(devices),
            "secrets": [token.secret_sha256 for token in made],
            "now": now,
            "expires": now + lifetime,
        },
    )
    return made


def redeem(connection: Connection, token: Token, *, key_fingerprint: str, now: datetime) -> Holder:
    """The device ``token`` stands for, once; the rows of both stay locked until the transaction ends.

    The same key may come again while the token lives: an answer lost on the way
    must not cost the operator a new token.
    """
    row = connection.execute(QUERIES["token"], {"secret_sha256": token.secret_sha256}).fetchone()
    if row is None or row["name"] != token.device:
        raise TrustError("this token is not known here: it may have been replaced by a newer one")
    if row["retired"] is not None:
        raise TrustError(f"device {row['name']!r} is retired: add it under another name")
    if row["redeemed"] is not None and row["key_fingerprint"] != key_fingerprint:
        raise TrustError(f"this token was used at {row['redeemed']:%Y-%m-%d %H:%M} UTC: make a new one")
    if row["expires"] <= now:
        raise TrustError(f"this token expired at {row['expires']:%Y-%m-%d %H:%M} UTC: make a new one")
    if row["redeemed"] is None:
        connection.execute(QUERIES["redeem_token"], {"secret_sha256": token.secret_sha256, "now": now})
    return Holder.of(row)
