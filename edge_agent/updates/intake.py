"""One release on its way into the spare slot: found, fetched, tried here. What runs is not touched.

Every act replaces what an earlier attempt at it left, so that each may be done
again after any crash.
"""

from collections.abc import Callable
from pathlib import Path

from edge_agent.updates.errors import RefusedError
from edge_agent.updates.golden import check_fit
from edge_agent.updates.life import Life
from edge_agent.updates.loaded import LoadedRelease, load, open_bundle
from edge_agent.updates.parts import Parts
from edge_agent.updates.record import Held, Record
from edge_agent.updates.slots import Slots
from edge_agent.updates.states import Event
from wire.clock import readable
from wire.directive import Directive


class Intake:
    """Of one use case; ``trouble`` is what was in the way of the download last."""

    def __init__(self, life: Life, slots: Slots, staged: Path, parts: Parts) -> None:
        self._life = life
        self._slots = slots
        self._staged = staged  # where what is fetched lies until it is in its slot
        self._parts = parts
        self._candidate: LoadedRelease | None = None  # what verifying has loaded, for the switch to use
        self.trouble = ""

    def begin(self) -> None:
        """Forget what another directive left."""
        self._candidate, self.trouble = None, ""

    def discard(self) -> None:
        """Nothing comes of it, or it lies in its slot: what was fetched is not needed any more."""
        self._candidate = None
        self._parts.disk.unlink(self._staged)

    def download(self, record: Record, directive: Directive, aborted: Callable[[], bool]) -> None:
        self.check_expiry(directive, self.trouble)
        if self.spared(record, directive):
            self._life.move(Event.DOWNLOADED, "the spare slot still holds it")
            return
        path, sha256 = directive.bundle_path, directive.bundle_sha256
        self._parts.trust.download(path, sha256, self._staged, aborted)
        size = self._staged.stat().st_size
        self._life.move(Event.DOWNLOADED, f"{size} bytes as signed", {"bytes": size})

    def verify(self, record: Record, directive: Directive) -> None:
        """The bundle against its directive, this device and its golden inputs."""
        spared = self.spared(record, directive)
        bundle = open_bundle(self._slots.bundle(spared.slot) if spared else self._staged)
        check_fit(bundle, directive, self._parts.device)
        self._candidate = load(bundle, self._parts.make_runner)
        trial = spared or Held(
            slot=self._slots.spare(record.good), release=directive.release, sha256=directive.bundle_sha256
        )
        # From here on the spare slot is written: what it held can no longer be gone back to.
        reason = "made for this device, and answers its golden inputs here"
        self._life.move(Event.VERIFIED, reason, trial=trial, before=None)

    def place(self, trial: Held) -> None:
        """Put it into the spare slot."""
        if not self._slots.holds(trial):
            self._slots.put(trial, self._staged)

    def ready(self, trial: Held) -> LoadedRelease:
        """What lies in the spare slot, in memory; what has changed there since is an ``UpdateError``."""
        path = self._slots.check(trial)
        return self._candidate or load(open_bundle(path), self._parts.make_runner)

    def spared(self, record: Record, directive: Directive) -> Held | None:
        """The spare slot, where it holds what the directive asks for and had proved itself."""
        before = record.before
        if before is None or before.sha256 != directive.bundle_sha256:
            return None
        return before if self._slots.holds(before) else None

    def check_expiry(self, directive: Directive, waited_for: str) -> None:
        """``RefusedError`` for a directive that has expired while ``waited_for`` was in the way."""
        now_us = self._parts.clock.now_us()
        if directive.expires_us <= now_us:
            why = f", while it waited: {waited_for}" if waited_for else ""
            raise RefusedError(f"expired at {readable(directive.expires_us)}, now is {readable(now_us)}{why}")
