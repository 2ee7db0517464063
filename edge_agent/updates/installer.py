"""One use case's update: does what the table of states says, one act at a time.

Every act is journalled before it is done and may be done again, so that a crash
between any two instructions leads back here. ``step`` does the next act.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge_agent.updates.disk import Disk
from edge_agent.updates.errors import AbortedError, JournalError, RefusedError, RetryError, UpdateError
from edge_agent.updates.golden import DeviceFacts, check_fit
from edge_agent.updates.journal import Journal
from edge_agent.updates.life import Life
from edge_agent.updates.loaded import LoadedRelease, RunnerFactory, load, open_bundle
from edge_agent.updates.probation import Limits, Verdict, judge
from edge_agent.updates.record import Held, Record
from edge_agent.updates.slots import Slots
from edge_agent.updates.stage import Stage, View
from edge_agent.updates.states import RESTING, Event, State
from edge_agent.updates.trust import Trust
from wire.clock import Clock
from wire.directive import Accepted, Directive, SignedDirective

PROBATION_POLL_S = 0.2
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
RESTARTS_ALLOWED = 1
UNDO = "undo"
ORDERLY, CRASH = "orderly", "crash"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the installers of all use cases share."""

    journal: Journal
    trust: Trust
    disk: Disk
    clock: Clock
    limits: Limits
    device: DeviceFacts
    make_runner: RunnerFactory


class Installer:
    """Acts in ``folder``; every call comes from one thread, only ``view`` is read by others."""

    def __init__(self, use_case: str, folder: Path, parts: Parts) -> None:
        parts.disk.ensure_folder(folder)
        self._parts = parts
        self._life = Life(use_case, parts.journal, parts.clock)
        self._slots = Slots(folder, parts.disk)
        self._stage = Stage(self._slots, parts.make_runner)
        self._staged = folder / "download"
        self._candidate: LoadedRelease | None = None
        self._retry_s = FIRST_RETRY_S
        self._trouble = ""

    @property
    def record(self) -> Record:
        return self._life.record

    @property
    def view(self) -> View:
        return self._stage.view

    def recover(self) -> None:
        """Come up after whatever ended the agent: the right slot switched to, loaded and running."""
        record = self.record
        if record.state is State.PROBATION:
            self._resume(record)
        elif record.state is not State.ROLLING_BACK:
            if record.state not in RESTING:
                self._life.move(Event.RESTARTED, "begins again after a restart", trial=None)
            if not self._stage.run(record.good):
                self._without_good(record)
        if self.record.state is State.ROLLING_BACK:
            self.step()

    def follow(self, signed: SignedDirective, directive: Directive) -> None:
        """Accept ``directive``; what another one has begun ends first."""
        newer = f"directive {directive.sequence} is newer"
        if self.record.state not in RESTING:
            if self.record.state is not State.ROLLING_BACK:
                self._life.move(Event.SUPERSEDED, newer)
            self.step()
        self._retry_s, self._trouble, self._candidate = FIRST_RETRY_S, "", None
        accepted = Accepted(sequence=directive.sequence, sha256=signed.sha256)
        self._life.move(Event.OFFERED, directive=directive, accepted=accepted, trial=None)

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
            self._roll_back(record)
        elif record.state is State.PROBATION:
            return self._judge(record, directive)
        elif record.state is State.ACCEPTED:
            self._begin(record, directive)
        elif record.state is State.DOWNLOADING:
            self._download(record, directive, aborted)
        elif record.state is State.VERIFYING:
            self._verify(record, directive)
        else:
            self._install(record, directive)
        return 0.0

    def _begin(self, record: Record, directive: Directive) -> None:
        good = record.good
        if self.view.running is not None and good is not None and good.sha256 == directive.bundle_sha256:
            self._life.move(Event.PRESENT, "it runs already")
        else:
            self._life.move(Event.STARTED)

    def _download(self, record: Record, directive: Directive, aborted: Callable[[], bool]) -> None:
        self._check_expiry(directive)
        if self._spared(record, directive):
            self._life.move(Event.DOWNLOADED, "the spare slot still holds it")
            return
        path, sha256 = directive.bundle_path, directive.bundle_sha256
        self._parts.trust.download(path, sha256, self._staged, aborted)
        self._life.move(Event.DOWNLOADED, evidence={"bytes": self._staged.stat().st_size})

    def _verify(self, record: Record, directive: Directive) -> None:
        spared = self._spared(record, directive)
        bundle = open_bundle(self._slots.bundle(spared.slot) if spared else self._staged)
        check_fit(bundle, directive, self._parts.device)
        self._candidate = load(bundle, self._parts.make_runner)
        trial = spared or Held(
            slot=self._slots.spare(record.good), release=directive.release, sha256=directive.bundle_sha256
        )
        # From here on the spare slot is written: what it held can no longer be gone back to.
        self._life.move(Event.VERIFIED, trial=trial, before=None)

    def _install(self, record: Record, directive: Directive) -> None:
        trial = record.trial
        assert trial is not None, "verifying sets it"
        if not self._slots.holds(trial):
            self._slots.put(trial, self._staged)
        self._slots.check(trial)
        self._check_expiry(directive)
        self._life.move(Event.INSTALLED, restarts=0, parting="")
        self._try_out(trial, record.good)
        self._staged.unlink(missing_ok=True)

    def _judge(self, record: Record, directive: Directive) -> float:
        watch = self.view.watch
        assert watch is not None, "probation begins with a watch"
        evidence = watch.evidence(self._parts.clock.now_us())
        judgement = judge(evidence, self._parts.limits)
        if directive.mode == UNDO:
            self._commit(record, "it had proved itself before")
        elif judgement.verdict is Verdict.HEALTHY:
            self._commit(record, judgement.reason, evidence.plain())
        elif judgement.verdict is Verdict.UNHEALTHY:
            self._life.move(Event.UNHEALTHY, judgement.reason, evidence.plain())
        else:
            return PROBATION_POLL_S
        return 0.0

    def _commit(self, record: Record, reason: str, evidence: dict[str, object] | None = None) -> None:
        self._life.move(Event.HEALTHY, reason, evidence, good=record.trial, before=record.good, trial=None)
        self._stage.keep()

    def _roll_back(self, record: Record) -> None:
        """Back to the newest release that proved itself and is still whole; without one nothing runs."""
        kept = [held for held in (record.good, record.before) if held is not None]
        restored = next((held for held in kept if self._stage.run(held)), None)
        if restored is None:
            self._stage.clear()
        before = record.before if restored is record.good else None
        self._life.move(Event.RESTORED, record.reason, good=restored, before=before, trial=None)

    def _resume(self, record: Record) -> None:
        """Go on with probation, its clock reset; a crash or a second restart speaks against the model."""
        trial = record.trial
        assert trial is not None, "probation is always of a trial"
        restarts = record.restarts + (record.parting != ORDERLY)
        if record.parting == CRASH or restarts > RESTARTS_ALLOWED:
            reason = "the agent crashed" if record.parting == CRASH else f"{restarts} restarts"
            self._life.move(Event.CRASHED, f"{reason} while {trial.release} was on probation")
            return
        self._life.move(Event.RESTARTED, f"restart {restarts}", restarts=restarts, parting="")
        self._try_out(trial, record.good)

    def _try_out(self, trial: Held, old: Held | None) -> None:
        candidate, self._candidate = self._candidate, None
        now_us, restarts = self._parts.clock.now_us(), self.record.restarts
        if not self._stage.try_out(trial, old, candidate, started_us=now_us, restarts=restarts):
            self._life.move(Event.DAMAGED, f"slot {trial.slot} no longer holds {trial.release}")

    def _without_good(self, record: Record) -> None:
        if record.good is None:
            self._stage.clear()
        elif self.record.state in RESTING:
            self._life.move(Event.DAMAGED, f"slot {record.good.slot} no longer holds {record.good.release}")
        # else an update is under way: it ends with a whole slot, or in a state that asks again

    def _spared(self, record: Record, directive: Directive) -> Held | None:
        """The spare slot, where it holds what the directive asks for and had proved itself."""
        before = record.before
        if before is None or before.sha256 != directive.bundle_sha256:
            return None
        return before if self._slots.holds(before) else None

    def _check_expiry(self, directive: Directive) -> None:
        now_us = self._parts.clock.now_us()
        if directive.expires_us <= now_us:
            why = f"; {self._trouble}" if self._trouble else ""
            raise RefusedError(f"expired at {directive.expires_us}, now is {now_us}{why}")

    def _retry(self, error: RetryError) -> float:
        if str(error) != self._trouble:
            self._trouble = str(error)
            self._life.say("retrying", self._trouble)
        wait, self._retry_s = self._retry_s, min(self._retry_s * 2, LONGEST_RETRY_S)
        return wait

    def _give_up(self, event: Event, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if self.record.state is State.PROBATION:
            self._life.move(Event.UNHEALTHY, reason)
        elif self.record.state not in RESTING and self.record.state is not State.ROLLING_BACK:
            self._candidate = None
            self._life.move(event, reason, trial=None)
            self._staged.unlink(missing_ok=True)
