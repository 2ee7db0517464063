"""Whether the chain is whole, as far as somebody who reads it needs to know at once.

Walking a million entries takes a minute, so a page never waits for that: the first one of a process has
the whole chain walked beside it, later ones walk what is new. What was walked could be changed afterwards:
it is all walked again after an hour, and whenever somebody asks. While this process lives it also knows how
long the chain was: that its newest entries were cut off shows, which no walk alone can see.
"""

import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from cloud_hub.errors import HubError
from cloud_hub.governance.audit import GENESIS, Verification, go_on
from cloud_hub.governance.read import SQL
from cloud_hub.store.database import Database, Row

AT_ONCE = 500  # new entries that a page walks itself
CHUNK = 1000  # entries between two rests, so that pages keep their share of the process
HOLDS_S = 3600.0
LONGEST_REST_S = 0.1

log = structlog.get_logger()
NOTHING = Verification(entries=0, head=GENESIS.hex())


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of the chain; times are real."""

    found: Verification | None  # None: it was never walked to its end yet
    from_first: datetime | None = None  # when the walk began that went over all of it
    seconds: float = 0.0  # how long that took
    looked: datetime | None = None  # when the newest entry was compared last
    walked: int = 0  # by a walk that is under way
    under_way: bool = False
    total: int = 0

    @property
    def is_broken(self) -> bool:
        return self.found is not None and self.found.broken is not None


class Chain:
    """The one watcher of a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = threading.RLock()
        self._known = Standing(found=None)
        self._longest = NOTHING  # that it ever was
        self._due = 0.0  # monotonic: from then on all is walked again

    def look(self, *, again: bool = False) -> Standing:
        """How it stands; with ``again`` all of it is walked anew, beside what is known so far."""
        with self._turn:
            newest = self._database.row(SQL["newest"]) or {"id": 0, "hash": NOTHING.head}
            known = self._set(total=newest["id"])
            if known.under_way:
                return known
            if known.found is None or again or time.monotonic() > self._due:
                return self._begin(NOTHING, newest["id"])
            if newest["id"] - known.found.entries > AT_ONCE and not known.is_broken:
                return self._begin(known.found, newest["id"])
            found = self._walk(known.found, most=AT_ONCE)
            return self._keep(found, self._shortened(found, newest))

    def _begin(self, known: Verification, total: int) -> Standing:
        """Walk on from what is ``known``: here where that is not far, else beside."""
        self._set(under_way=True, walked=known.entries)
        if total - known.entries <= AT_ONCE:
            self._finish(known)
        else:
            threading.Thread(target=self._finish_beside, args=(known,), daemon=True, name="chain").start()
        return self._known

    def _finish_beside(self, known: Verification) -> None:
        try:
            self._finish(known, rests=True)
        except (HubError, psycopg.Error) as error:
            log.warning("the chain could not be walked", reason=" ".join(str(error).split()))

    def _finish(self, known: Verification, *, rests: bool = False) -> None:
        began, clock = datetime.now(UTC), time.monotonic()
        try:
            found = self._walk_to_end(known, rests=rests)
            self._keep(found, self._replaced(found))
            if known is NOTHING:
                self._set(from_first=began, seconds=time.monotonic() - clock)
                self._due = time.monotonic() + HOLDS_S
        finally:
            self._set(under_way=False)

    def _walk_to_end(self, known: Verification, *, rests: bool) -> Verification:
        before = None
        while known != before:
            began = time.monotonic()
            before, known = known, self._walk(known, most=CHUNK)
            self._set(walked=known.entries)
            if rests:
                time.sleep(min(time.monotonic() - began, LONGEST_REST_S))
        return known

    def _walk(self, known: Verification, *, most: int) -> Verification:
        with self._database.transaction() as connection:
            return go_on(connection, known, most=most)

    def _shortened(self, found: Verification, newest: Row) -> str:
        """What is wrong with the end of the chain, against what it was; empty where nothing is."""
        if newest["id"] < self._longest.entries:
            return f"entry {self._longest.entries} was there and is gone: the newest ones were cut off"
        if newest["id"] == found.entries and newest["hash"] != found.head:
            return f"expected head {found.head[:12]}, got {newest['hash'][:12]}: the newest entry was changed"
        return ""

    def _replaced(self, found: Verification) -> str:
        """The same for a walk to the end: whether what was the newest entry once is the one it was."""
        if not self._longest.entries:
            return ""
        row = self._database.row(SQL["hash_of"], {"id": self._longest.entries})
        if row is None or found.entries < self._longest.entries:
            return f"entry {self._longest.entries} was there and is gone: the newest ones were cut off"
        fits = row["hash"] == self._longest.head
        return "" if fits else f"entry {self._longest.entries} is not the one that was there"

    def _keep(self, found: Verification, wrong: str) -> Standing:
        if found.broken is None and wrong:
            found = replace(found, broken=min(found.entries, self._longest.entries), why=wrong)
        elif found.broken is None:
            self._longest = found
        return self._set(found=found, looked=datetime.now(UTC))

    def _set(self, **changes: Any) -> Standing:
        with self._turn:
            self._known = replace(self._known, **changes)
            return self._known
