"""One use case's update: does what the table of states says, one act at a time.

Every act is journalled before it is done and may be done again, so that a crash
between any two instructions leads back here. ``step`` does the next act; what is
done before the switch is in ``intake``, what from there on in ``trial``.
"""

from collections.abc import Callable
from pathlib import Path

import structlog

from edge_agent.updates.deferral import UNDO
from edge_agent.updates.errors import AbortedError, JournalError, RefusedError, RetryError, UpdateError
from edge_agent.updates.intake import Intake
from edge_agent.updates.life import Life
from edge_agent.updates.parts import Parts
from edge_agent.updates.record import Record
from edge_agent.updates.slots import Slots
from edge_agent.updates.stage import Stage, View
from edge_agent.updates.states import RESTING, Event, State
from edge_agent.updates.trial import Trial
from wire.directive import Accepted, Directive, SignedDirective

PROBATION_POLL_S = 0.2
DEFERRAL_POLL_S = 0.5
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0

log = structlog.get_logger()


class Installer:
    """Acts in ``folder``; every call comes from one thread, only ``view`` is read by others."""

    def __init__(self, use_case: str, folder: Path, parts: Parts) -> None:
        parts.disk.ensure_folder(folder)
        self._parts = parts
        self._life = Life(use_case, parts.journal, parts.clock)
        slots = Slots(folder, parts.disk)
        self._stage = Stage(slots, parts.make_runner)
        self._intake = Intake(self._life, slots, folder / "download", parts)
        self._trial = Trial(self._life, self._stage, parts)
        self._retry_s = FIRST_RETRY_S

    @property
    def record(self) -> Record:
        return self._life.record

    @property
    def view(self) -> View:
        return self._stage.view

    @property
    def rank(self) -> int:
        """Whose turn it is first: what can be long comes last, and an undo before it."""
        directive = self.record.directive
        if self.record.state is not State.DOWNLOADING or directive is None:
            return 0
        return 1 if directive.mode == UNDO else 2

    @property
    def presses(self) -> bool:
        """Whether there is something to do that no other update's download may hold up."""
        record = self.record
        if record.state is State.PROBATION:
            return self._trial.has_verdict(record)
        directive = record.directive
        return record.state is State.DEFERRED and not (directive and self._parts.deferral(directive))

    def recover(self) -> None:
        """Come up after whatever ended the agent: the right slot switched to, loaded and running."""
        record = self.record
        if record.state is State.PROBATION:
            self._trial.resume(record)
        elif record.state is not State.ROLLING_BACK:
            self._begin_again(record)
            if not self._stage.run(record.good):
                self._without_good(record)
        if self.record.state is State.ROLLING_BACK:
            self.step()

    def follow(self, signed: SignedDirective, directive: Directive) -> None:
        """Accept ``directive``; what another one has begun ends first."""
        if self.record.state not in RESTING:
            if self.record.state is not State.ROLLING_BACK:
                self._life.move(Event.SUPERSEDED, f"directive {directive.sequence} is newer")
            self.step()
        self._retry_s = FIRST_RETRY_S
        self._intake.begin()
        accepted = Accepted(sequence=directive.sequence, sha256=signed.sha256)
        failed = self.record.failure_of(directive.release)
        reason = f"to {directive.mode} {directive.release}"
        if failed:
            reason += f" again, although directive {failed[0]} failed: {failed[1].reason}"
        self._life.move(Event.OFFERED, reason, directive=directive, accepted=accepted, trial=None)

    def step(self, aborted: Callable[[], bool] = lambda: False) -> float | None:
        """Do the next act; seconds until the one after, None where nothing is going on."""
        record = self.record
        if record.state in RESTING:
            return None
        try:
            return self._act(record, aborted)
        except (AbortedError, JournalError):
            raise
        except RetryError as error:
            return self._retry(error)
        except RefusedError as error:
            self._give_up(Event.REFUSED, error)
        except UpdateError as error:
            self._give_up(Event.FAILED, error)
        except Exception as error:  # an update must end, whatever is wrong with it
            log.exception("unexpected failure of an update", state=record.state)
            self._give_up(Event.FAILED, error)
        return LONGEST_RETRY_S if self.record.state is record.state else 0.0

    def part(self, word: str) -> None:
        """Note how the agent ends, where that matters at the next start."""
        if self.record.state is State.PROBATION:
            self._life.note(parting=word)

    def _act(self, record: Record, aborted: Callable[[], bool]) -> float:
        directive = record.directive
        if record.state is State.ROLLING_BACK or directive is None:
            self._trial.roll_back(record)
        elif record.state is State.PROBATION:
            return 0.0 if self._trial.judge(record) else PROBATION_POLL_S
        elif record.state is State.ACCEPTED:
            self._begin(record, directive)
        elif record.state is State.DOWNLOADING:
            self._intake.download(record, directive, aborted)
        elif record.state is State.VERIFYING:
            self._intake.verify(record, directive)
        else:
            return self._install(record, directive)
        return 0.0

    def _begin(self, record: Record, directive: Directive) -> None:
        good = record.good
        if self.view.running is not None and good is not None and good.sha256 == directive.bundle_sha256:
            self._life.move(Event.PRESENT, "it runs already")
        else:
            self._life.move(Event.STARTED, f"{directive.release} does not run here yet")

    def _install(self, record: Record, directive: Directive) -> float:
        """Write the spare slot and switch to it, as soon as this device may be changed."""
        trial = record.trial
        assert trial is not None, "verifying sets it"
        if record.state is State.INSTALLING:
            self._intake.place(trial)
        self._intake.check_expiry(directive, record.deferral.reason if record.deferral else "")
        blind = record.good is not None and self.view.running is None
        deferral = None if blind else self._parts.deferral(directive)
        if deferral is not None:
            self._intake.discard()
            self._life.defer(deferral)
            return DEFERRAL_POLL_S
        self._trial.begin(trial, self._intake.ready(trial))
        self._intake.discard()
        return 0.0

    def _begin_again(self, record: Record) -> None:
        if record.state is State.DEFERRED:
            self._life.move(Event.RESTARTED, record.reason, deferral=record.deferral)
        elif record.state not in RESTING:
            self._life.move(Event.RESTARTED, "begins again after a restart", trial=None)

    def _without_good(self, record: Record) -> None:
        if record.good is None:
            self._stage.clear()
        elif self.record.state in RESTING or self.record.state is State.DEFERRED:
            self._life.move(Event.DAMAGED, f"slot {record.good.slot} no longer holds {record.good.release}")
        # else an update is under way: it ends with a whole slot, or in a state that asks again

    def _retry(self, error: RetryError) -> float:
        if str(error) != self._intake.trouble:
            self._intake.trouble = str(error)
            self._life.say("retrying", self._intake.trouble)
        wait, self._retry_s = self._retry_s, min(self._retry_s * 2, LONGEST_RETRY_S)
        return wait

    def _give_up(self, event: Event, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if self.record.state is State.PROBATION:
            self._life.move(Event.UNHEALTHY, reason)
        elif self.record.state not in RESTING and self.record.state is not State.ROLLING_BACK:
            self._life.move(event, reason, trial=None)
            self._intake.discard()
