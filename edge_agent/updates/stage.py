"""What the pipeline runs of one use case: a release from a slot, and beside it the old one on probation."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from edge_agent.updates.errors import UpdateError
from edge_agent.updates.loaded import LoadedRelease, RunnerFactory, load, open_bundle
from edge_agent.updates.record import Held
from edge_agent.updates.slots import Slots
from edge_agent.updates.watch import Watch

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What may be used right now; always replaced as a whole, so that any thread may read it."""

    running: LoadedRelease | None = None
    shadow: LoadedRelease | None = None  # the old model, while the new one is on probation
    watch: Watch | None = None


class Stage:
    def __init__(self, slots: Slots, make_runner: RunnerFactory) -> None:
        self._slots = slots
        self._make_runner = make_runner
        self.view = View()

    def run(self, held: Held | None) -> bool:
        """Run the release of a slot; False, and nothing changed, where it is not whole any more."""
        loaded = self._loaded(held)
        if held is None or loaded is None:
            return False
        self._slots.switch(held)
        self.view = View(running=loaded)
        return True

    def try_out(
        self,
        trial: Held,
        old: Held | None,
        candidate: LoadedRelease | None,
        new_watch: Callable[[LoadedRelease, LoadedRelease | None], Watch],
    ) -> bool:
        """Run ``trial``, loaded as ``candidate`` or not yet, with ``old`` beside it, both watched.

        False, and nothing changed, where ``trial`` is not whole any more.
        """
        loaded = candidate or self._loaded(trial)
        if loaded is None:
            return False
        running = self.view.running
        shadow = running if running is not None else self._loaded(old)
        self._slots.switch(trial)
        self.view = View(running=loaded, shadow=shadow, watch=new_watch(loaded, shadow))
        return True

    def keep(self) -> None:
        """The new model has proved itself: the old one is no longer run beside it."""
        self.view = View(running=self.view.running)

    def clear(self) -> None:
        """Run nothing."""
        self.view = View()
        self._slots.switch(None)

    def _loaded(self, held: Held | None) -> LoadedRelease | None:
        if held is None:
            return None
        try:
            return load(open_bundle(self._slots.check(held)), self._make_runner)
        except UpdateError as error:
            log.error("slot is not usable", slot=held.slot, release=held.release, reason=str(error))
            return None
