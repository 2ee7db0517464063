"""Sessions of people at the console: kept at the hub, so that ending one ends it.

A session ends when nobody used it for a while, and at the latest some hours after it
was opened. What its person may do is read anew at every request; when that changed,
the session goes on under another secret.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from cloud_hub.errors import TrustError
from cloud_hub.identity.people.accounts import SQL, Now, rights
from cloud_hub.identity.people.links import hashed
from cloud_hub.identity.people.permissions import Rights
from cloud_hub.store.database import Database

SEEN_EVERY = timedelta(minutes=1)  # so often at most is written down that somebody is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: int
    person: str
    rights: Rights
    opened: datetime
    seen: datetime
    stale: bool  # what its person may do has changed since it got its secret
    kept: Mapping[str, Any] | None  # a form that an earlier session's end interrupted


class Sessions:
    def __init__(self, database: Database, *, idle: timedelta, lifetime: timedelta, now: Now) -> None:
        self._database = database
        self._idle = idle
        self.lifetime = lifetime
        self._now = now

    def open(self, person: int, *, kept: Mapping[str, Any] | None = None, checked: str | None = None) -> str:
        """A new session's secret; those that have ended are forgotten.

        ``TrustError`` where the person is disabled by now, or their password's hash is no more the one
        that was ``checked``.
        """
        now, secret = self._now(), secrets.token_urlsafe(32)
        row: dict[str, Any] = {"secret_sha256": hashed(secret), "person": person, "now": now}
        with self._database.transaction() as connection:
            row |= {"kept": Jsonb(kept) if kept else None, "checked": checked}
            if not connection.execute(SQL["open_session"], row).rowcount:
                raise TrustError("this account was changed at the same moment: sign in again")
            connection.execute(SQL["forget_sessions"], self._bounds(now))
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of ``secret``; None where it has ended, was never one, or its person is disabled."""
        wanted = {"secret_sha256": hashed(secret)} | self._bounds(self._now())
        row = self._database.row(SQL["session"], wanted)
        if row is None:
            return None
        return Session(
            id=row["id"],
            person=row["name"],
            rights=rights(row),
            opened=row["opened"],
            seen=row["seen"],
            stale=row["stale"],
            kept=row["kept"],
        )

    def see(self, session: Session) -> None:
        """Its person is there."""
        now = self._now()
        if now - session.seen >= SEEN_EVERY:
            self._database.execute(SQL["see_session"], {"id": session.id, "now": now})

    def turn(self, session: Session, secret: str) -> str | None:
        """Another secret for the same session; the old one opens nothing any more.

        None where a request beside this one was first: the browser has the other secret from that.
        """
        fresh = secrets.token_urlsafe(32)
        values = {"id": session.id, "secret_sha256": hashed(secret), "fresh": hashed(fresh)}
        return fresh if self._database.execute(SQL["turn_session"], values) else None

    def take_kept(self, session: Session) -> None:
        """The kept form was shown."""
        self._database.execute(SQL["take_kept"], {"id": session.id})

    def end(self, secret: str) -> None:
        self._database.execute(SQL["end_session"], {"secret_sha256": hashed(secret)})

    def _bounds(self, now: datetime) -> dict[str, datetime]:
        return {"oldest": now - self.lifetime, "idle_since": now - self._idle}
