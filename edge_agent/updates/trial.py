"""A release from the switch on: probation, and from there to stay or back to the one before."""

from collections.abc import Mapping
from typing import Any

from edge_agent.updates.deferral import UNDO
from edge_agent.updates.life import Life
from edge_agent.updates.loaded import LoadedRelease
from edge_agent.updates.parts import Parts
from edge_agent.updates.probation import Judgement, Verdict, judge
from edge_agent.updates.record import Held, Record
from edge_agent.updates.stage import Stage
from edge_agent.updates.states import Event
from edge_agent.updates.watch import Watch

RESTARTS_ALLOWED = 1
ORDERLY, CRASH = "orderly", "crash"


class Trial:
    """Of one use case."""

    def __init__(self, life: Life, stage: Stage, parts: Parts) -> None:
        self._life = life
        self._stage = stage
        self._parts = parts

    def begin(self, trial: Held, candidate: LoadedRelease) -> None:
        """Switch to the spare slot, the old release beside it from now on."""
        record = self._life.record
        replaced = f"{record.good.release} runs beside it" if record.good else "nothing ran before"
        reason = f"slot {trial.slot} runs, {replaced}"
        runs_in = {"runner": candidate.runner.name, "precision": str(candidate.runner.precision)}
        self._life.move(Event.INSTALLED, reason, runs_in, trial=trial, restarts=0, parting="")
        self._watch(trial, record.good, candidate)

    def resume(self, record: Record) -> None:
        """Go on after a restart, the clock reset; a crash or a second restart speaks against the model."""
        trial = record.trial
        assert trial is not None, "probation is always of a trial"
        restarts = record.restarts + (record.parting != ORDERLY)
        if record.parting == CRASH or restarts > RESTARTS_ALLOWED:
            reason = "the agent crashed" if record.parting == CRASH else f"{restarts} restarts"
            self._life.move(Event.CRASHED, f"{reason} while {trial.release} was on probation")
            return
        orderly = record.parting == ORDERLY
        reason = "after an orderly stop" if orderly else f"restart {restarts} of {RESTARTS_ALLOWED} allowed"
        self._life.move(Event.RESTARTED, reason, restarts=restarts, parting="")
        self._watch(trial, record.good, None)

    def judge(self, record: Record) -> bool:
        """Act on the verdict; False while there is none."""
        evidence, judgement = self._judgement(record)
        if judgement.verdict is Verdict.HEALTHY:
            self._keep(record, judgement.reason, evidence)
        elif judgement.verdict is Verdict.UNHEALTHY:
            self._life.move(Event.UNHEALTHY, judgement.reason, evidence)
        return judgement.verdict is not Verdict.WAIT

    def has_verdict(self, record: Record) -> bool:
        return self._judgement(record)[1].verdict is not Verdict.WAIT

    def roll_back(self, record: Record) -> None:
        """Back to the newest release that proved itself and is still whole; without one nothing runs."""
        kept = [held for held in (record.good, record.before) if held is not None]
        restored = next((held for held in kept if self._stage.run(held)), None)
        if restored is None:
            self._stage.clear()
        before = record.before if restored is record.good else None
        self._life.move(Event.RESTORED, record.reason, good=restored, before=before, trial=None)

    def _judgement(self, record: Record) -> tuple[Mapping[str, Any], Judgement]:
        """An undo to what has proved itself on this very device need not do so again."""
        watch, trial, directive = self._stage.view.watch, record.trial, record.directive
        assert watch is not None, "probation begins with a watch"
        assert trial is not None, "probation is always of a trial"
        if directive is not None and directive.mode == UNDO and trial.sha256 in record.proven:
            return {}, Judgement(verdict=Verdict.HEALTHY, reason="it had proved itself before")
        evidence = watch.evidence(self._parts.clock.now_us())
        return evidence.plain(), judge(evidence, self._parts.limits)

    def _keep(self, record: Record, reason: str, evidence: Mapping[str, Any]) -> None:
        trial = record.trial
        assert trial is not None, "probation is always of a trial"
        proven = record.proved(trial)
        self._life.move(
            Event.HEALTHY, reason, evidence, good=trial, before=record.good, trial=None, proven=proven
        )
        self._stage.keep()

    def _watch(self, trial: Held, old: Held | None, candidate: LoadedRelease | None) -> None:
        if not self._stage.try_out(trial, old, candidate, self._new_watch):
            self._life.move(Event.DAMAGED, f"slot {trial.slot} no longer holds {trial.release}")

    def _new_watch(self, new: LoadedRelease, old: LoadedRelease | None) -> Watch:
        return Watch(
            new.manifest,
            old.manifest if old is not None else None,
            started_us=self._parts.clock.now_us(),
            restarts=self._life.record.restarts,
            memory=self._parts.memory,
        )
