"""A name and a password, checked as slowly for a stranger as for a friend, and not too often.

Failures are counted for the address they come from and for the name they try. Whoever
keeps guessing a name makes it wait for browsers that were never signed in under it; a
browser that was, which it proves by a cookie, is counted by itself. So nobody can be kept
out by somebody else's guesses, and what is refused unheard is not counted, so that waiting helps.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cloud_hub.identity.people.accounts import SQL
from cloud_hub.identity.people.passwords import Passwords
from cloud_hub.identity.throttle import Throttle
from cloud_hub.store.database import Database

NAME_BURST, NAME_PER_SECOND = 8, 1 / 30
ADDRESS_BURST, ADDRESS_PER_SECOND = 30, 1 / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    name: str
    password: str
    address: str
    browser: str = ""  # what tells apart browsers that this name was signed in by; empty: none of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    person: int | None  # who it is; None: nobody
    name: str = ""  # whom it was tried for, where there is somebody of that name; for the log
    checked: str | None = field(default=None, repr=False)  # the hash that the password fits
    wait_s: float = 0.0  # until it is listened to again


class Login:
    """Used by any thread."""

    def __init__(
        self, database: Database, passwords: Passwords, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._monotonic = monotonic
        self._counting = threading.Lock()
        self._names = Throttle(burst=NAME_BURST, per_second=NAME_PER_SECOND)
        self._addresses = Throttle(burst=ADDRESS_BURST, per_second=ADDRESS_PER_SECOND)

    def attempt(self, tried: Attempt) -> Outcome:
        """Who signs in; a wrong password, an unknown name and a disabled person are answered alike."""
        counted = _counted(tried)
        wait_s = self._count(tried, counted)
        if wait_s:
            return Outcome(person=None, wait_s=wait_s)
        failed = False
        try:
            outcome = self._check(tried)
            failed = outcome.person is None
            return outcome
        finally:
            if not failed:  # it fits, or could not be checked
                self._forgive(tried, counted)

    def _count(self, tried: Attempt, counted: str) -> float:
        """Seconds to wait; else 0, and it counts as a failure until it is none, so many at once count too."""
        with self._counting:
            now = self._monotonic()
            wait_s = self._names.wait_s(counted, now)
            if not tried.browser:
                wait_s = max(wait_s, self._addresses.wait_s(tried.address, now))
            if not wait_s:
                self._names.failed(counted, now)
                self._addresses.failed(tried.address, now)
            return wait_s

    def _forgive(self, tried: Attempt, counted: str) -> None:
        now = self._monotonic()
        self._names.forgive(counted, now)
        self._addresses.forgive(tried.address, now)

    def _check(self, tried: Attempt) -> Outcome:
        row = self._database.row(SQL["credentials"], {"name": tried.name}) or {}
        fits = self._passwords.fits(tried.password, row.get("password_hash"))
        if not fits or row["disabled"]:
            return Outcome(person=None, name=row.get("name", ""))
        checked = row["password_hash"]
        if self._passwords.is_old(checked):
            fresh = {"hash": self._passwords.hash(tried.password), "person": row["id"], "checked": checked}
            if self._database.execute(SQL["replace_password"], fresh):
                checked = fresh["hash"]
        return Outcome(person=row["id"], name=row["name"], checked=checked)


def _counted(tried: Attempt) -> str:
    return f"browser {tried.browser}" if tried.browser else f"name {tried.name[:64].casefold()}"
