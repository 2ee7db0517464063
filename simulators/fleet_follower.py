"""What one light device does with directives: verify each, follow it at its pace, report every state.

A newer directive ends the one under way, as on a real device; one that must not be
followed is refused by name, and reported once.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from simulators.fleet_identity import Identity, Remembered
from simulators.fleet_updates import RETRY_S, AwayError, RefusalError, Step, life, superseded
from simulators.fleet_world import World
from wire.batch import ReportEvent
from wire.directive import Accepted, Directive, SignedDirective
from wire.errors import ExpiredError, NotAuthorisedError, WireError
from wire.messages import UseCaseState

OURS = (ExpiredError, NotAuthorisedError)  # of a directive whose signature and device are right


@dataclass(slots=True, kw_only=True, eq=False)
class Following:
    directive: Directive
    steps: Iterator[Step]


class Follower:
    """``say`` takes what is to be reported, ``announce`` is called where a birth would say something else."""

    def __init__(
        self,
        identity: Identity,
        known: Mapping[str, Remembered],
        world: World,
        *,
        say: Callable[[ReportEvent], None],
        announce: Callable[[], None],
    ) -> None:
        self._identity = identity
        self._known = dict(known)
        self._world = world
        self._say = say
        self._announce = announce
        self._following: dict[str, Following] = {}
        self._refused = b""  # the hash of what was refused last
        for use_case, item in known.items():
            if item.directive:  # the last run ended in the middle of it
                self._begin(use_case, Directive.from_json(item.directive.encode()))

    def judge(self, use_case: str, payload: bytes) -> None:
        """Follow the directive in ``payload``, or refuse it, or ask the hub later."""
        known = self._known.get(use_case)
        accepted = known.accepted if known else None
        now_us = self._world.clock.now_us()
        try:
            admitted = self._world.trust.admit(payload, self._identity, use_case, accepted, now_us)
        except AwayError:
            self._world.counts["hub not reached"] += 1
            self._world.loop.after(RETRY_S, partial(self.judge, use_case, payload))
        except (WireError, RefusalError) as error:
            self._turn_away(use_case, payload, error)
        else:
            if admitted is not None:
                self._follow(use_case, *admitted)

    def states(self) -> tuple[UseCaseState, ...]:
        """For a birth."""
        return tuple(
            UseCaseState(
                use_case=use_case,
                accepted_sequence=item.accepted.sequence,
                release=self._running(use_case, item),
                state=item.state or "idle",
            )
            for use_case, item in self._known.items()
        )

    def memory(self) -> dict[str, Remembered]:
        """What is to be known after a restart: also what is being followed, which begins again then."""
        return {
            use_case: replace(item, directive=self._unfinished(use_case))
            for use_case, item in self._known.items()
        }

    def _running(self, use_case: str, item: Remembered) -> str:
        following = self._following.get(use_case)
        return following.directive.release if following and item.state == "probation" else item.release

    def _unfinished(self, use_case: str) -> str:
        following = self._following.get(use_case)
        return following.directive.to_json().decode() if following else ""

    def _follow(self, use_case: str, signed: SignedDirective, directive: Directive) -> None:
        self._world.counts["directives accepted"] += 1
        before = self._following.pop(use_case, None)
        known = self._known.get(use_case)
        if before is not None and known is not None:
            for step in superseded(known.state, directive.sequence):
                self._report(before.directive, step)
        accepted = Accepted(sequence=directive.sequence, sha256=signed.sha256)
        known = self._known.get(use_case)
        self._known[use_case] = replace(known, accepted=accepted) if known else Remembered(accepted=accepted)
        self._begin(use_case, directive)

    def _begin(self, use_case: str, directive: Directive) -> None:
        world, device = self._world, self._identity.device
        steps = life(
            present=self._known[use_case].sha256 == directive.bundle_sha256,
            fault=world.faults.of(device, directive.release),
            pace=world.pace,
            slow_s=world.faults.slowness_s(device),
            fetch=partial(self._fetch, directive),
            chance=world.random,
        )
        self._following[use_case] = Following(directive=directive, steps=steps)
        self._advance(use_case, self._following[use_case])

    def _advance(self, use_case: str, following: Following) -> None:
        """The next states, up to one that takes time."""
        while self._following.get(use_case) is following:
            step = next(following.steps, None)
            if step is None:
                del self._following[use_case]
                return
            if step.state:
                self._report(following.directive, step)
            if step.pause_s:
                self._world.loop.after(step.pause_s, partial(self._advance, use_case, following))
                return

    def _fetch(self, directive: Directive) -> None:
        manifest = self._world.trust.manifest(directive.bundle_path, directive.bundle_sha256)
        kind = self._world.kind
        expected = (directive.release, kind.machine_class, kind.feature_set)
        found = (manifest.release, manifest.machine_class, manifest.feature_set)
        if found != expected:
            raise RefusalError(f"expected a bundle of {expected}, got one of {found}")
        if not {kind.target, "*"} & {*manifest.targets}:
            raise RefusalError(f"expected a bundle for {kind.target}, got one for {manifest.targets}")

    def _report(self, directive: Directive, step: Step) -> None:
        known = self._known[directive.use_case]
        if step.state == "committed":
            known = replace(known, release=directive.release, sha256=directive.bundle_sha256)
        self._known[directive.use_case] = replace(known, state=step.state)
        self._world.counts[f"reported {step.state}"] += 1
        self._say(self._event(directive.use_case, step, directive))
        if step.state == "rolled-back":
            self._announce()

    def _event(self, use_case: str, step: Step, directive: Directive | None) -> ReportEvent:
        known = self._known.get(use_case)
        return ReportEvent(
            time_us=self._world.clock.now_us(),
            use_case=use_case,
            directive_sequence=directive.sequence if directive else 0,
            state=step.state,
            event=step.event,
            reason=step.reason,
            release=directive.release if directive else "",
            rollout=directive.rollout if directive else "",
            correlation=directive.correlation if directive else "",
            evidence={"running": known.release if known else ""},
        )

    def _turn_away(self, use_case: str, payload: bytes, error: WireError | RefusalError) -> None:
        digest = hashlib.sha256(payload).digest()
        if digest == self._refused:
            return
        self._refused = digest
        step = Step(state="refused", event="refused", reason=f"{type(error).__name__}: {error}")
        self._world.counts["directives refused"] += 1
        self._say(self._event(use_case, step, self._outcome(use_case, payload, error)))

    def _outcome(self, use_case: str, payload: bytes, error: WireError | RefusalError) -> Directive | None:
        """The directive whose end this refusal is; None where it is nobody's end here."""
        if not isinstance(error, OURS):
            return None
        directive = Directive.from_json(SignedDirective.from_bytes(payload).payload)
        known = self._known.get(use_case)
        return directive if known is None or directive.sequence > known.accepted.sequence else None
