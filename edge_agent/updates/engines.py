"""Shared engines that the hub may have for what lies in the slots: asked for when nothing else is to be done.

A model runs without one, so this delays and fails nothing: an update that comes ends the
download, which goes on later where it stopped. That there is none is no error. The
repository is asked again in a while; what was signed but is not what its name says, never.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from edge_agent.engine_facts import EngineFacts, keys
from edge_agent.engine_store import EngineStore
from edge_agent.updates.disk import Disk
from edge_agent.updates.errors import (
    AbortedError,
    JournalError,
    RetryError,
    SlotError,
    UnfitError,
    UntrustedError,
)
from edge_agent.updates.loaded import open_bundle
from edge_agent.updates.record import Held, Record
from edge_agent.updates.slots import Slots
from edge_agent.updates.trust import Trust
from wire.engine import EngineKey
from wire.errors import EngineError

ASK_AGAIN_S = 3600.0  # a builder host may be behind the release by this much
REFUSED_AGAIN_S = 6 * 3600.0
FIRST_RETRY_S, LONGEST_RETRY_S = 60.0, 3600.0
SOON_S = 5.0  # after an update ended the download, or where the slot is still being written

Tell = Callable[[str, str, str, Mapping[str, Any]], None]  # use case, event, reason, evidence

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Errand:
    """For one release in a slot."""

    use_case: str
    release: str
    keys: tuple[EngineKey, ...] = ()  # what would fit, the best one first; those refused are gone
    known: bool = False  # whether ``keys`` were worked out
    due: float = 0.0
    retry_s: float = FIRST_RETRY_S
    said: str = "not asked yet"
    refused: list[str] = field(default_factory=list)


class SharedEngines:
    """Used by the updates' own thread; any may read ``status``."""

    def __init__(
        self,
        slots: Path,
        *,
        facts: EngineFacts | None,
        store: EngineStore,
        trust: Trust,
        disk: Disk,
        tell: Tell,
        withdrawn: Callable[[EngineKey], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots = slots
        self._facts = facts
        self._store = store
        self._trust = trust
        self._disk = disk
        self._tell = tell
        self._withdrawn = withdrawn  # whoever runs it stops
        self._now = now
        self._errands: dict[str, Errand] = {}  # by the bundle's SHA-256

    def turn(self, records: Mapping[str, Record], aborted: Callable[[], bool]) -> float:
        """Run the errand that is due, if any; seconds until the next one."""
        if self._facts is None:
            return float("inf")
        held = {each.sha256: (record, each) for record in records.values() for each in _running(record)}
        if held.keys() != self._errands.keys():
            self._take_up(held, records)
        for sha256, (_, each) in held.items():
            errand = self._errands[sha256]
            if errand.due <= self._now():
                self._run(errand, each, self._facts, aborted)
                break
        return min((errand.due for errand in self._errands.values()), default=float("inf")) - self._now()

    def status(self) -> list[dict[str, Any]]:
        """For people: of every release that runs, what became of its shared engine."""
        return [
            {"use_case": each.use_case, "release": each.release, "said": each.said, "refused": each.refused}
            for each in list(self._errands.values())
        ]

    def _take_up(self, held: Mapping[str, tuple[Record, Held]], records: Mapping[str, Record]) -> None:
        """Other releases run than before: new errands for new ones, and old engines make room."""
        self._errands = {
            sha256: self._errands.get(sha256) or Errand(use_case=record.use_case, release=each.release)
            for sha256, (record, each) in held.items()
        }
        for use_case, record in records.items():
            releases = {each.release for each in (*_running(record), record.before) if each}
            self._store.keep(use_case, releases)

    def _run(self, errand: Errand, held: Held, facts: EngineFacts, aborted: Callable[[], bool]) -> None:
        """Whatever is wrong here, the updates go on."""
        try:
            self._work_out(errand, held, facts)
            wait = self._fetch(errand, aborted)
        except (AbortedError, SlotError):
            wait = SOON_S
        except RetryError as error:
            errand.said = f"waits: {error}"
            wait, errand.retry_s = errand.retry_s, min(2 * errand.retry_s, LONGEST_RETRY_S)
        except (EngineError, UntrustedError, UnfitError) as error:
            self._refuse(errand, error)
            wait = 0.0 if isinstance(error, EngineError) and errand.keys else REFUSED_AGAIN_S
        except JournalError:
            raise
        except Exception as error:
            log.exception("shared engine", release=errand.release)
            errand.said, wait = f"waits: {error!r}", LONGEST_RETRY_S
        errand.due = self._now() + wait

    def _work_out(self, errand: Errand, held: Held, facts: EngineFacts) -> None:
        if not errand.known:
            path = Slots(self._slots / errand.use_case, self._disk).check(held)
            errand.keys = keys(open_bundle(path), facts)
            errand.known = True

    def _fetch(self, errand: Errand, aborted: Callable[[], bool]) -> float:
        """Have the best engine that is signed, and none that is not any more; seconds until the next look."""
        keys = {f"engines/{key.target}/{key.name}": key for key in errand.keys}
        signed = self._trust.engines(keys, aborted) if keys else {}
        for path, key in keys.items():
            if self._store.withdraw(key, signed.get(path, "")):
                self._withdrawn(key)
                self._told(errand, "engine-withdrawn", f"{path} is signed no longer")
        best = next((path for path in keys if path in signed), None)
        if best is not None:
            self._bring(errand, best, keys[best], signed[best], aborted)
        errand.retry_s = FIRST_RETRY_S
        errand.said = best or "none that fits is signed"
        return ASK_AGAIN_S

    def _bring(
        self, errand: Errand, path: str, key: EngineKey, sha256: str, aborted: Callable[[], bool]
    ) -> None:
        place = self._store.place(key, sha256)
        if place.exists():
            return
        self._trust.engine(path, sha256, place, aborted)
        try:
            self._store.admit(key, place)
        except EngineError as error:
            errand.keys = tuple(other for other in errand.keys if other != key)
            raise EngineError(f"{path}: {error}") from error
        log.info("shared engine", release=errand.release, path=path)

    def _refuse(self, errand: Errand, error: Exception) -> None:
        """Note why, and report it once: somebody signed it, or serves something else."""
        reason = f"{type(error).__name__}: {error}"
        errand.said = f"refused: {reason}"
        if reason not in errand.refused:
            self._told(errand, "engine-refused", reason)
            errand.refused.append(reason)

    def _told(self, errand: Errand, event: str, reason: str) -> None:
        log.warning(event, release=errand.release, reason=reason)
        self._tell(errand.use_case, event, reason, {"release": errand.release})


def _running(record: Record) -> tuple[Held, ...]:
    return tuple(held for held in (record.trial, record.good) if held is not None)
