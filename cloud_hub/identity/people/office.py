"""Everything about people, put together once for the console and the command line."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from cloud_hub.config import WebSettings
from cloud_hub.errors import ConflictError
from cloud_hub.identity.people.accounts import Accounts, Now, Record
from cloud_hub.identity.people.bearer import ApiTokens
from cloud_hub.identity.people.links import Links
from cloud_hub.identity.people.login import Attempt, Login, Outcome
from cloud_hub.identity.people.passwords import Passwords, check
from cloud_hub.identity.people.sessions import Sessions
from cloud_hub.store.database import Database


def real_time() -> datetime:
    """What trust is measured by, whatever clock the hub's data is on."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    accounts: Accounts
    links: Links
    sessions: Sessions
    tokens: ApiTokens
    login: Login
    passwords: Passwords

    @classmethod
    def of(
        cls,
        database: Database,
        settings: WebSettings,
        *,
        record: Record,
        now: Now = real_time,
        passwords: Passwords | None = None,
    ) -> Self:
        """``passwords`` with other parameters than a hub's, where a test wants them quick."""
        passwords = passwords or Passwords()
        idle, lifetime = timedelta(minutes=settings.idle_minutes), timedelta(hours=settings.session_hours)
        return cls(
            accounts=Accounts(database, record=record, now=now),
            links=Links(database, record=record, now=now),
            sessions=Sessions(database, idle=idle, lifetime=lifetime, now=now),
            tokens=ApiTokens(database, record=record, now=now),
            login=Login(database, passwords),
            passwords=passwords,
        )

    def change_password(self, name: str, old: str, fresh: str, *, address: str) -> Outcome:
        """Give ``name`` another password, which ends their sessions; ``ConflictError`` unless ``old`` fits.

        Returns who it is, with the new hash. Who guesses at an open session is counted as at the door.
        """
        outcome = self.login.attempt(
            Attempt(name=name, password=old, address=address, browser=f"session of {name}")
        )
        if outcome.person is None:
            waits = f"wait {outcome.wait_s:.0f} s and try again" if outcome.wait_s else "it stays as it was"
            raise ConflictError(f"that is not the password until now: {waits}")
        check(fresh, name=name)
        kept = self.passwords.hash(fresh)
        self.accounts.replace_password(name, kept, checked=outcome.checked)
        return replace(outcome, checked=kept)
