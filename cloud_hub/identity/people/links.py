"""Links that let somebody in once: to make the first admin, to choose a password, or straight in.

A link that signs in without a password is for a demonstration on the very machine that
shows it; the console takes it over loopback alone. The hub keeps a hash of the secret.
A link is looked at as often as one likes, and used once: what previews links uses none.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cloud_hub.errors import ConflictError, TrustError
from cloud_hub.identity.people.accounts import SQL, Accounts, Now, Record, cut_off, insert
from cloud_hub.identity.people.passwords import Passwords, check
from cloud_hub.identity.people.permissions import Grant, Role
from cloud_hub.store.database import Connection, Database

LIFETIME = timedelta(hours=24)
LIFETIME_SIGN_IN = timedelta(hours=12)  # a demonstration tells its story before somebody opens it


class Purpose(StrEnum):
    FIRST_ADMIN = "first-admin"
    PASSWORD = "password"  # noqa: S105 - the word, not one
    SIGN_IN = "sign-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    purpose: Purpose
    person: int | None
    name: str | None  # of whom it is for; None: who comes makes the first admin
    terminal: str | None


class Links:
    def __init__(self, database: Database, *, record: Record, now: Now) -> None:
        self._database = database
        self._record = record
        self._now = now

    def first_admin(self, *, terminal: str) -> str:
        """The secret of a link that makes the first admin, who also acts as ``terminal``."""
        with self._database.transaction() as connection:
            return self._add(connection, Purpose.FIRST_ADMIN, None, LIFETIME, terminal)

    def invite(self, name: str, *, by: str, purpose: Purpose = Purpose.PASSWORD) -> str:
        """The secret of a link by which ``name`` chooses a password, or is signed in."""
        person = Accounts(self._database, record=self._record, now=self._now).get(name)
        if person.disabled:
            raise ConflictError(f"{name} is disabled: `andon hub person enable {name}` first")
        with self._database.transaction() as connection:
            lifetime = LIFETIME_SIGN_IN if purpose is Purpose.SIGN_IN else LIFETIME
            secret = self._add(connection, purpose, person.id, lifetime, None)
            detail = {"purpose": purpose}
            self._record(connection, actor=by, action="person.link", subject=name, detail=detail)
        return secret

    def look(self, secret: str) -> Link:
        """What a link is for, without using it; ``TrustError`` for one that opens nothing."""
        with self._database.transaction() as connection:
            return self._look(connection, secret)

    def make_first_admin(self, secret: str, name: str, password: str, passwords: Passwords) -> int:
        """Use a link of :meth:`first_admin`; returns the new person's id."""
        check(password, name=name)
        kept = passwords.hash(password)
        with self._database.transaction() as connection:
            connection.execute(SQL["lock"])
            link = self._use(connection, secret, Purpose.FIRST_ADMIN)
            admins = connection.execute(SQL["admins"]).fetchone()
            if admins:
                raise TrustError(f"this hub has an admin, {admins['name']}: ask them to add you")
            grants, terminal = [Grant(Role.ADMIN)], link.terminal or ""
            person = insert(connection, name, grants, by=terminal or name, now=self._now(), terminal=terminal)
            connection.execute(SQL["set_password"], {"person": person, "hash": kept})
            detail = {"roles": [Role.ADMIN], "terminal": terminal, "first": True}
            self._record(connection, actor=name, action="person.add", subject=name, detail=detail)
        return person

    def choose_password(self, secret: str, password: str, passwords: Passwords) -> int:
        """Use a link of :meth:`invite`: the password is theirs; every session, token and other link ends."""
        link = self.look(secret)
        check(password, name=link.name or "")
        kept = passwords.hash(password)
        with self._database.transaction() as connection:
            connection.execute(SQL["lock"])
            link = self._use(connection, secret, Purpose.PASSWORD)
            assert link.person is not None
            assert link.name is not None
            connection.execute(SQL["set_password"], {"person": link.person, "hash": kept})
            cut_off(connection, link.person, link.name, now=self._now())
            action = "person.password"
            self._record(connection, actor=link.name, action=action, subject=link.name, detail={})
        return link.person

    def sign_in(self, secret: str) -> Link:
        """Use a link that signs in; whoever calls has seen that it came over loopback."""
        with self._database.transaction() as connection:
            return self._use(connection, secret, Purpose.SIGN_IN)

    def _add(
        self,
        connection: Connection,
        purpose: Purpose,
        person: int | None,
        lifetime: timedelta,
        terminal: str | None,
    ) -> str:
        secret, now = secrets.token_urlsafe(32), self._now()
        place = {"purpose": purpose, "person": person}
        connection.execute(SQL["forget_links"], place)
        row = {"secret_sha256": hashed(secret), "terminal": terminal, "now": now, "expires": now + lifetime}
        connection.execute(SQL["add_link"], place | row)
        return secret

    def _use(self, connection: Connection, secret: str, purpose: Purpose) -> Link:
        link = self._look(connection, secret)
        if link.purpose is not purpose:
            raise TrustError(f"expected a link for {purpose}, got one for {link.purpose}")
        connection.execute(SQL["use_link"], {"secret_sha256": hashed(secret), "now": self._now()})
        return link

    def _look(self, connection: Connection, secret: str) -> Link:
        row = connection.execute(SQL["link"], {"secret_sha256": hashed(secret)}).fetchone()
        if row is None:
            raise TrustError("this link is not known here: a newer one or another password took its place")
        if row["used"]:
            raise TrustError(f"this link was used at {row['used']:%Y-%m-%d %H:%M} UTC, and works once")
        if row["expires"] <= self._now():
            raise TrustError(f"this link expired at {row['expires']:%Y-%m-%d %H:%M} UTC")
        if row["disabled"]:
            raise TrustError(f"{row['name']} is disabled")
        purpose = Purpose(row["purpose"])
        return Link(purpose=purpose, person=row["person"], name=row["name"], terminal=row["terminal"])


def hashed(secret: str) -> str:
    """What the hub keeps of a secret of 256 random bits: nobody guesses one, so a plain hash will do."""
    return hashlib.sha256(secret.encode()).hexdigest()
