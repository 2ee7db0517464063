"""What pages about models show of a version: its figure beside a guess, and what it lacks until it runs.

A candidate goes through five doors, always in this order: gate, approval, publishing, engines, rollout.
Each is told with what was found there, so that nobody has to guess why nothing happens.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud_hub.console.here import hub, seen_sites
from cloud_hub.console.sentences import sentence
from cloud_hub.console.words import unit
from cloud_hub.flows import release as releases
from cloud_hub.flows.approving import Outlook
from cloud_hub.registry.trace import Trace
from cloud_hub.store.database import Row, load_queries
from models.use_case import UseCase

SQL = load_queries("cloud_hub.console.models", "models.sql")
TASKS: Mapping[str, str] = {
    "remaining-life": "how long a {machine_class} has until it fails, in {unit}",
    "anomaly": "whether a {machine_class} behaves otherwise than when it was sound",
    "fault-class": "which fault a {machine_class} has",
}
UNITS = {"h": "hours", "d": "days", "min": "minutes", "s": "seconds"}  # of life, in a sentence
ROLLOUT = re.compile(r"\brollout \S+")
NOT_YET = "idle"
UNSEEN_WHY = "It failed; the reason may name machines of every site, and is for those who see them."
SITE = "site "  # begins the name of a slice that is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    tone: str  # ok, bad, warn, busy or idle
    word: str  # the state, short
    words: str = ""  # what was found, or what it waits for


def shown(row: Row) -> dict[str, Any]:
    """A row of ``versions`` with the guess beside its figure, and its reason as far as it is the caller's."""
    baseline = _baseline(row["baselines"] or {}, row["rivals"])
    return row | {"baseline": baseline, "reason": without_sites(row["reason"] or "")}


def unseen_slices(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are of sites which the caller may not see."""
    seen = seen_sites()
    if seen is None:
        return []
    return [name for name in names if name.startswith(SITE) and name.removeprefix(SITE) not in seen]


def without_sites(text: str) -> str:
    """``text`` of a verdict without the names of sites that the caller may not see."""
    seen = seen_sites()
    if seen is None or SITE not in text:
        return text
    unseen = [row["name"] for row in hub().database.rows(SQL["unseen_sites"], {"sites": seen})]
    for name in sorted(unseen, key=len, reverse=True):
        text = text.replace(f"{SITE}{name}", "another site")
    return text


def reason_of(gate: Mapping[str, Any]) -> str:
    """Why a verdict is what it is, as far as it is the caller's."""
    return without_sites(str(gate.get("reason", "")))


def error_of(text: str) -> str:
    """Why a run or a dataset failed, as far as it is the caller's: it is told in the words of the data."""
    return text if seen_sites() is None or not text else UNSEEN_WHY


def checks_of(gate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a verdict held it to, each with what was found and what was asked."""
    return [row | {"found": without_sites(row["found"])} for row in gate.get("checks", ())]


def without_rollouts(text: str) -> str:
    """``text`` of a trigger without the name of a rollout, for whoever may not see every site."""
    return text if seen_sites() is None else ROLLOUT.sub("a rollout", text)


def predicts(use_case: UseCase) -> str:
    """What a use case tells, as a sentence."""
    code = use_case.life.unit
    told = TASKS[use_case.task].format(machine_class=use_case.machine_class, unit=UNITS.get(code, unit(code)))
    faults = ", ".join(use_case.faults.classes) if use_case.faults else ""
    between = ":" if use_case.task == "fault-class" else "; and which fault it then has:"
    return f"Tells {told}{f'{between} {faults}' if faults else ''}."


def steps(trace: Trace, stands: Outlook | None, *, failure: str) -> list[Step]:
    """The doors that the release of ``trace`` went or has to go through."""
    state = trace.model.state
    engines = hub().database.rows(SQL["engines"], {"release": trace.model.release})
    asked = {"release": trace.model.release, "sites": seen_sites()}
    newest = hub().database.row(SQL["newest_rollout"], asked)
    return [
        _gate(trace),
        _approval(trace, stands),
        _published(state, failure),
        _engines(state, engines),
        _rollout(state, newest),
    ]


def failure_of(trace: Trace) -> str:
    """Why an approved release could not be published; empty where it was, or is under way."""
    return releases.failure(hub(), trace.model.release) if trace.model.state == "approved" else ""


def _baseline(baselines: Mapping[str, float], rivals: Sequence[str]) -> float | None:
    """The trivial guess that the gate held it against, which need not be the best one; else the best."""
    held = [baselines[rival] for rival in rivals if rival in baselines]
    return min(held or baselines.values(), default=None)


def _gate(trace: Trace) -> Step:
    gate = trace.model.gate
    reason = reason_of(gate)
    if gate.get("passed"):
        return Step(name="Gate", tone="ok", word="passed", words=reason)
    overridden = trace.model.state in ("approved", "released")
    word = "not passed, overridden" if overridden else "not passed"
    tone = "warn" if overridden else "bad"
    return Step(name="Gate", tone=tone, word=word, words=reason)


def _approval(trace: Trace, stands: Outlook | None) -> Step:
    if trace.refusal is not None:
        words = f"By {trace.refusal['person']}, for good: {trace.refusal['reason']}"
        return Step(name="Approval", tone="bad", word="refused", words=words)
    who = " and ".join(dict.fromkeys(row["person"] for row in trace.approvals))
    if trace.model.state in ("approved", "released"):
        return Step(name="Approval", tone="ok", word="given", words=f"By {who}." if who else "")
    said = f"{who} said yes. " if who else ""
    missing = stands.now.missing if stands else ""
    return Step(name="Approval", tone="busy", word="waits", words=f"{said}{sentence(missing)}")


def _published(state: str, failure: str) -> Step:
    if state == "released":
        return Step(name="Bundle", tone="ok", word="signed", words="Devices may be sent it.")
    if failure:
        return Step(name="Bundle", tone="bad", word="failed", words=sentence(failure))
    if state == "approved":
        return Step(
            name="Bundle",
            tone="busy",
            word="at work",
            words="It is being built and signed by andon hub work.",
        )
    return Step(name="Bundle", tone=NOT_YET, word="not yet", words="Built and signed once it is approved.")


def _engines(state: str, engines: Sequence[Row]) -> Step:
    targets = ", ".join(dict.fromkeys(row["target"] for row in engines))
    if targets:
        words = f"For {targets}; other devices compile their own."
        return Step(name="Engines", tone="ok", word="signed", words=words)
    word = "by devices" if state == "released" else "not yet"
    words = "None is shared: each device compiles its own." if state == "released" else ""
    return Step(name="Engines", tone=NOT_YET, word=word, words=words)


def _rollout(state: str, newest: Row | None) -> Step:
    if newest is None:
        words = "No device was sent it yet." if state == "released" else ""
        return Step(name="Rollout", tone=NOT_YET, word="not yet", words=words)
    tones = {"done": "ok", "halted": "bad", "running": "busy"}
    tone = tones.get(newest["state"], "warn")
    return Step(name="Rollout", tone=tone, word=newest["state"], words=newest["id"] if newest["seen"] else "")
