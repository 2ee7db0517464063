"""Accounts of people: names that last for ever, roles, and the terminal accounts they also act by.

Every change is one transaction with its entry in the audit chain. Names and terminal
accounts share one space, so that no word in the chain can mean two people. There is
always somebody left who may let others in.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.identity.people.permissions import Grant, Rights, Role
from cloud_hub.store.database import Connection, Database, Row, load_queries

SQL = load_queries("cloud_hub.identity.people")
NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")
ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,63}\$?")
RESERVED = frozenset({"hub", "console"})  # actors of entries that no person made

Now = Callable[[], datetime]  # real time


class Record(Protocol):
    """Write the audit chain, in the transaction of the act."""

    def __call__(
        self, connection: Connection, *, actor: str, action: str, subject: str, detail: Mapping[str, Any]
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    id: int
    name: str
    has_password: bool
    grants: tuple[Grant, ...]
    terminals: tuple[str, ...]
    added: datetime
    disabled: datetime | None
    seen: datetime | None  # in a session that has not ended

    @classmethod
    def of(cls, row: Row) -> Self:
        grants = tuple(map(Grant.parse, row["grants"]))
        return cls(**(row | {"grants": grants, "terminals": tuple(row["terminals"])}))


class Accounts:
    def __init__(self, database: Database, *, record: Record, now: Now) -> None:
        self._database = database
        self._record = record
        self._now = now

    def everyone(self) -> list[Person]:
        return [Person.of(row) for row in self._database.rows(SQL["people"], {"name": None})]

    def get(self, name: str) -> Person:
        """``NotFoundError`` for a name that nobody has."""
        with self._database.transaction() as connection:
            return _find(connection, name)

    def has_admin(self) -> bool:
        """Whether somebody can let others in."""
        return self._database.row(SQL["admins"]) is not None

    def sites(self) -> list[str]:
        return [row["name"] for row in self._database.rows(SQL["sites"])]

    def add(self, name: str, grants: Sequence[Grant], *, by: str, terminal: str = "") -> None:
        """Somebody new, who has no password yet: a link lets them choose one."""
        with self._changing() as connection:
            insert(connection, name, grants, by=by, now=self._now(), terminal=terminal)
            detail = {"roles": [str(grant) for grant in grants], "terminal": terminal}
            self._record(connection, actor=by, action="person.add", subject=name, detail=detail)

    def give(self, name: str, grant: Grant, *, by: str) -> None:
        with self._changing() as connection:
            person = _find(connection, name)
            if not _give(connection, person.id, grant):
                raise ConflictError(f"{name} is {grant} already")
            self._turned(connection, person, by=by, detail={"given": str(grant)})

    def take(self, name: str, grant: Grant, *, by: str) -> None:
        """Take a role away; ``ConflictError`` where nobody could let others in any more."""
        with self._changing() as connection:
            person = _find(connection, name)
            site = _site(connection, grant.site)
            place = {"person": person.id, "role": grant.role, "site": site}
            if not connection.execute(SQL["take"], place).rowcount:
                raise ConflictError(f"{name} is not {grant}")
            _check_admin_left(connection)
            self._turned(connection, person, by=by, detail={"taken": str(grant)})

    def disable(self, name: str, *, by: str) -> None:
        """Let them in no more: sessions, tokens and links end for good. Their name stays theirs."""
        with self._changing() as connection:
            person = _find(connection, name)
            if person.disabled:
                raise ConflictError(f"{name} is disabled already")
            connection.execute(SQL["set_disabled"], {"person": person.id, "disabled": self._now()})
            _check_admin_left(connection)
            cut_off(connection, person.id, name, now=self._now())
            self._record(connection, actor=by, action="person.disable", subject=name, detail={})

    def enable(self, name: str, *, by: str) -> None:
        with self._changing() as connection:
            person = _find(connection, name)
            if not person.disabled:
                raise ConflictError(f"{name} is not disabled")
            connection.execute(SQL["set_disabled"], {"person": person.id, "disabled": None})
            self._record(connection, actor=by, action="person.enable", subject=name, detail={})

    def sign_out(self, name: str, *, by: str) -> int:
        """End every session of theirs; returns how many there were."""
        with self._changing() as connection:
            _find(connection, name)
            ended = connection.execute(SQL["end_sessions"], {"name": name}).rowcount
            detail = {"sessions": ended}
            self._record(connection, actor=by, action="person.sign-out", subject=name, detail=detail)
        return ended

    def replace_password(self, name: str, kept: str, *, checked: str | None) -> None:
        """Keep the hash of a new password of theirs; every session, token and open link ends.

        ``ConflictError`` where theirs is not the one any more that was ``checked``.
        """
        with self._changing() as connection:
            person = _find(connection, name).id
            values = {"person": person, "hash": kept, "checked": checked}
            if not connection.execute(SQL["replace_password"], values).rowcount:
                raise ConflictError("that is not the password until now: another was set at the same moment")
            cut_off(connection, person, name, now=self._now())
            self._record(connection, actor=name, action="person.password", subject=name, detail={})

    def link_terminal(self, name: str, account: str, *, by: str) -> None:
        """What ``account`` does at the hub's terminal is this person's voice from now on."""
        with self._changing() as connection:
            _add_terminal(connection, _find(connection, name).id, name, account)
            detail = {"terminal": account}
            self._record(connection, actor=by, action="person.terminal", subject=name, detail=detail)

    def unlink_terminal(self, name: str, account: str, *, by: str) -> None:
        with self._changing() as connection:
            place = {"account": account, "person": _find(connection, name).id}
            if not connection.execute(SQL["drop_terminal"], place).rowcount:
                raise ConflictError(f"{account} is no terminal account of {name}")
            detail = {"terminal taken": account}
            self._record(connection, actor=by, action="person.terminal", subject=name, detail=detail)

    def by_sso(self, issuer: str, subject: str) -> Person | None:
        """Whom a provider's name for somebody is linked to, unless they are disabled."""
        row = self._database.row(SQL["sso"], {"issuer": issuer, "subject": subject})
        return self.get(row["name"]) if row else None

    def link_sso(self, name: str, issuer: str, subject: str, *, by: str, remove: bool = False) -> None:
        """``subject`` at ``issuer`` signs in as this person from now on, or no more."""
        if not subject or not subject.isprintable():
            raise ConflictError(f"expected the provider's name for them, got {subject[:40]!r}")
        with self._changing() as connection:
            values = {"issuer": issuer, "subject": subject, "person": _find(connection, name).id}
            if not connection.execute(SQL["drop_sso" if remove else "add_sso"], values).rowcount:
                stands = f"is not linked to {name}" if remove else "is linked to somebody already"
                raise ConflictError(f"{subject!r} of {issuer} {stands}")
            if remove:
                connection.execute(SQL["end_sessions"], {"name": name})
            detail = {"issuer": issuer, "subject": subject, "removed": remove}
            self._record(connection, actor=by, action="person.sso", subject=name, detail=detail)

    def _turned(self, connection: Connection, person: Person, *, by: str, detail: Mapping[str, Any]) -> None:
        connection.execute(SQL["turn"], {"person": person.id})
        self._record(connection, actor=by, action="person.role", subject=person.name, detail=detail)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with self._database.transaction() as connection:
            connection.execute(SQL["lock"])
            yield connection


def insert(
    connection: Connection, name: str, grants: Sequence[Grant], *, by: str, now: datetime, terminal: str
) -> int:
    """A person's rows; the lock of people is held."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise ConflictError(
            "expected a name of 2 to 32 small letters, digits, dots or dashes that begins with a letter, "
            f"got {name[:40]!r}"
        )
    _check_word(connection, name, person=name)
    row = connection.execute(SQL["add"], {"name": name, "now": now, "by": by}).fetchone()
    if row is None:
        raise ConflictError(f"there is somebody named {name} already; names are never given twice")
    for grant in grants:
        _give(connection, row["id"], grant)
    if terminal:
        _add_terminal(connection, row["id"], name, terminal)
    return int(row["id"])


def cut_off(connection: Connection, person: int, name: str, *, now: datetime) -> None:
    """End all by which somebody comes in as ``name``, whoever holds it: sessions, tokens, open links."""
    connection.execute(SQL["end_sessions"], {"name": name})
    connection.execute(SQL["revoke_tokens"], {"person": person, "now": now})
    connection.execute(SQL["drop_links"], {"person": person})


def rights(row: Row) -> Rights:
    """Of a row with ``grants``."""
    return Rights(frozenset(map(Grant.parse, row["grants"])))


def _give(connection: Connection, person: int, grant: Grant) -> bool:
    """Whether it was not theirs before."""
    place = {"person": person, "role": grant.role, "site": _site(connection, grant.site)}
    return bool(connection.execute(SQL["give"], place).rowcount)


def _add_terminal(connection: Connection, person: int, name: str, account: str) -> None:
    if not ACCOUNT.fullmatch(account):
        raise ConflictError(f"expected the name of a user of this machine, got {account[:40]!r}")
    _check_word(connection, account, person=name)
    if connection.execute(SQL["terminal_of"], {"account": account}).fetchone() is None:
        connection.execute(SQL["add_terminal"], {"account": account, "person": person})


def _check_word(connection: Connection, word: str, *, person: str) -> None:
    """``word`` in the audit chain means ``person`` or nobody."""
    row = connection.execute(SQL["terminal_of"], {"account": word}).fetchone()
    if row and row["name"] != person:
        raise ConflictError(f"{word} is the terminal account of {row['name']}: one word, one person")
    if word != person and connection.execute(SQL["credentials"], {"name": word}).fetchone():
        raise ConflictError(f"{word} is a person's name: one word, one person")


def _check_admin_left(connection: Connection) -> None:
    if connection.execute(SQL["admins"]).fetchone() is None:
        raise ConflictError(
            f"nobody would be left who may let others in: first give somebody else the role {Role.ADMIN}"
        )


def _find(connection: Connection, name: str) -> Person:
    row = connection.execute(SQL["people"], {"name": name}).fetchone()
    if row is None:
        raise NotFoundError("person", name)
    return Person.of(row)


def _site(connection: Connection, name: str | None) -> int | None:
    if name is None:
        return None
    row = connection.execute(SQL["site"], {"name": name}).fetchone()
    if row is None:
        raise NotFoundError("site", name)
    return int(row["id"])
