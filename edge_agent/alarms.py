"""The alarms of one machine: which are open, since when, and what a prediction changes about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.predictions import Prediction
from kernels.alarm import CLOSED, AlarmPolicy, AlarmState, Direction, step
from wire.batch import AlarmEvent
from wire.manifest import INTERVAL_OF, AlarmRule, Manifest, Output


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    state: AlarmState = CLOSED
    opened_us: int = 0


class Alarms:
    """A rule keeps its state from one release to the next by its use case, output and direction."""

    def __init__(self, machine: int) -> None:
        self._machine = machine
        self._watched: dict[str, _Watched] = {}

    @property
    def open(self) -> int:
        return sum(watched.state.opened for watched in self._watched.values())

    def judge(self, use_case: str, prediction: Prediction, time_us: int) -> list[AlarmEvent]:
        """What ``prediction`` opens and closes; an open alarm that no rule watches any more is closed."""
        rules = {_key(use_case, rule): rule for rule in prediction.manifest.alarms}
        events = self._close_orphans(use_case, rules, prediction, time_us)
        for place, (key, rule) in enumerate(rules.items()):
            before = self._watched.get(key, _Watched())
            state, change = step(_policy(rule), before.state, prediction.value(rule.output))
            # The hub knows an alarm by machine, use case and opening: two at once open a microsecond apart.
            opened_us = time_us + place if change == "opened" else before.opened_us
            self._watched[key] = _Watched(state=state, opened_us=opened_us)
            if change is not None:
                events.append(self._event(use_case, rule, prediction, (time_us, change, opened_us)))
        return events

    def to_bytes(self) -> bytes:
        rows = {
            key: [watched.state.opened, watched.state.count, watched.opened_us]
            for key, watched in self._watched.items()
        }
        return json.dumps(rows, sort_keys=True).encode()

    def restore(self, payload: bytes) -> None:
        rows: dict[str, list[Any]] = json.loads(payload)
        for key, (opened, number, opened_us) in rows.items():
            state = AlarmState(opened=bool(opened), count=int(number))
            self._watched[key] = _Watched(state=state, opened_us=int(opened_us))

    def _close_orphans(
        self, use_case: str, rules: Mapping[str, AlarmRule], prediction: Prediction, time_us: int
    ) -> list[AlarmEvent]:
        orphans = [key for key in self._watched if key.startswith(f"{use_case}|") and key not in rules]
        return [
            AlarmEvent(
                time_us=time_us,
                machine=self._machine,
                use_case=use_case,
                release=prediction.manifest.release,
                state="closed",
                severity=0.0,
                message=f"{prediction.manifest.release} has no such alarm",
                opened_us=watched.opened_us,
            )
            for watched in map(self._watched.pop, orphans)
            if watched.state.opened
        ]

    def _event(
        self, use_case: str, rule: AlarmRule, prediction: Prediction, when: tuple[int, str, int]
    ) -> AlarmEvent:
        time_us, change, opened_us = when
        value = prediction.value(rule.output)
        output = _output(prediction.manifest, rule.output)
        return AlarmEvent(
            time_us=time_us,
            machine=self._machine,
            use_case=use_case,
            release=prediction.manifest.release,
            state=change,
            severity=_severity(rule, output, value) if change == "opened" else 0.0,
            message=_sentence(rule, output, value, change),
            opened_us=opened_us,
        )


def _key(use_case: str, rule: AlarmRule) -> str:
    return f"{use_case}|{rule.output}|{rule.direction}"


def _policy(rule: AlarmRule) -> AlarmPolicy:
    return AlarmPolicy(
        output=rule.output,
        threshold=rule.threshold,
        clear=rule.clear,
        persistence=rule.persistence,
        direction=Direction(rule.direction),
    )


def _output(manifest: Manifest, name: str) -> Output:
    """The output ``name``; the bounds of an interval have the unit and range of what they bound."""
    outputs = {output.name: output for output in manifest.outputs}
    return outputs.get(name) or outputs.get(INTERVAL_OF) or manifest.outputs[0]


def _severity(rule: AlarmRule, output: Output, value: float) -> float:
    """How far past the threshold, as a share of what is left of the output's range: 0 to 1."""
    worst = output.low if rule.direction == Direction.BELOW else output.high
    span = abs(worst - rule.threshold)
    return min(1.0, abs(value - rule.threshold) / span) if span > 0 else 1.0


def _sentence(rule: AlarmRule, output: Output, value: float, change: str) -> str:
    unit = "" if output.unit == "1" else f" {output.unit.strip('{}')}"
    name = rule.output.replace("_", " ")
    if change == "closed":
        return f"{name} {value:.4g}{unit}: past {rule.clear:g}{unit} again"
    side = "at or below" if rule.direction == Direction.BELOW else "at or above"
    times = f", {rule.persistence} times in a row" if rule.persistence > 1 else ""
    return f"{name} {value:.4g}{unit}: {side} {rule.threshold:g}{unit}{times}"
