"""Tokens of the API: they speak for a person, and may do no more than their scopes and that person both may.

A token is shown once; the hub keeps a hash. It ends at its time, when it is revoked, with
another password of its person, and with their account.
"""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cloud_hub.errors import ConflictError
from cloud_hub.identity.people.accounts import SQL, Accounts, Now, Record, rights
from cloud_hub.identity.people.links import hashed
from cloud_hub.identity.people.permissions import NEVER_BY_TOKEN, Permission, Rights
from cloud_hub.identity.people.sessions import SEEN_EVERY
from cloud_hub.store.database import Database

PREFIX = "andon_"  # what looks for leaked secrets finds it by
LONGEST = 128
MOST_DAYS = 366
NAME = re.compile(r"\w[\w .-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime
    seen: datetime | None
    revoked: datetime | None


class ApiTokens:
    def __init__(self, database: Database, *, record: Record, now: Now) -> None:
        self._database = database
        self._record = record
        self._now = now

    def make(self, person: str, name: str, scopes: Collection[Permission], *, days: int, by: str) -> str:
        """A new token of ``person``, told this once."""
        owner = Accounts(self._database, record=self._record, now=self._now).get(person)
        _check(name, scopes, days, Rights(frozenset(owner.grants)))
        secret, now = f"{PREFIX}{secrets.token_urlsafe(32)}", self._now()
        row = {"person": owner.id, "name": name, "secret_sha256": hashed(secret), "now": now}
        row |= {"scopes": sorted(scopes), "expires": now + timedelta(days=days)}
        with self._database.transaction() as connection:
            if connection.execute(SQL["add_token"], row).fetchone() is None:
                raise ConflictError(f"{person} has had a token named {name!r}: choose another name")
            detail = {"name": name, "scopes": sorted(scopes), "days": days}
            self._record(connection, actor=by, action="token.make", subject=person, detail=detail)
        return secret

    def of(self, person: str) -> list[ApiToken]:
        """Those in force first."""
        rows = self._database.rows(SQL["tokens"], {"person": person})
        return [ApiToken(**(row | {"scopes": tuple(row["scopes"])})) for row in rows]

    def revoke(self, person: str, name: str, *, by: str) -> None:
        with self._database.transaction() as connection:
            values = {"person": person, "name": name, "now": self._now()}
            if not connection.execute(SQL["revoke_token"], values).rowcount:
                raise ConflictError(f"{person} has no token named {name!r} that is in force")
            detail = {"name": name}
            self._record(connection, actor=by, action="token.revoke", subject=person, detail=detail)

    def find(self, secret: str) -> tuple[str, Rights] | None:
        """Whom a token speaks for, and what it may do; None for what is no token in force."""
        if not secret.startswith(PREFIX) or len(secret) > LONGEST:
            return None
        now = self._now()
        row = self._database.row(SQL["token"], {"secret_sha256": hashed(secret), "now": now})
        if row is None:
            return None
        if row["seen"] is None or now - row["seen"] >= SEEN_EVERY:
            self._database.execute(SQL["see_token"], {"id": row["id"], "now": now})
        scopes = frozenset(map(Permission, set(row["scopes"]) & set(Permission))) - NEVER_BY_TOKEN
        return row["name"], replace(rights(row), scopes=scopes)


def _check(name: str, scopes: Collection[Permission], days: int, owner: Rights) -> None:
    if not NAME.fullmatch(name):
        raise ConflictError(f"expected a name of 1 to 40 letters, digits, spaces, dots, got {name[:60]!r}")
    if not scopes:
        raise ConflictError("expected at least one scope: a token without any may do nothing")
    if not 1 <= days <= MOST_DAYS:
        raise ConflictError(f"expected a token to live for 1 to {MOST_DAYS} days, got {days}")
    if beyond := [scope for scope in scopes if scope in NEVER_BY_TOKEN or not owner.may(scope)]:
        raise ConflictError(f"expected scopes that this person has, {sorted(beyond)[0]} is none of them")
