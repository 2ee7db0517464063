"""Which faults, when, to whom: all of it from a seed, so that a bad run can be run again.

Every kind comes at least once, those that need long first; the rest is chance.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chaos_relays import HOWS


class Kind(StrEnum):
    KILL_AGENT = "kill-agent"
    KILL_BROKER = "kill-broker"
    KILL_INGEST = "kill-ingest"
    KILL_POSTGRES = "kill-postgres"
    FREEZE_INGEST = (
        "freeze-ingest"  # stopped with a transaction in hand, and woken when nobody waits any more
    )
    CUT_AGENT = "cut-agent"  # agent from broker
    CUT_INGEST = "cut-ingest"  # ingest from broker
    CUT_POSTGRES = "cut-postgres"  # ingest from PostgreSQL
    FILL_DISK = "fill-disk"
    STEP_CLOCK = "step-clock"
    BURST = "burst"  # the sensors measure five times as much
    RESTORE_AGENT = "restore-agent"  # an image of its disk, taken a while before
    CLONE_AGENT = "clone-agent"
    RESTORE_HUB = "restore-hub"  # a backup of its database


KILLS = frozenset({Kind.KILL_AGENT, Kind.KILL_BROKER, Kind.KILL_INGEST, Kind.KILL_POSTGRES})
CUTS = frozenset({Kind.CUT_AGENT, Kind.CUT_INGEST, Kind.CUT_POSTGRES})
LONG = (Kind.RESTORE_AGENT, Kind.CLONE_AGENT, Kind.RESTORE_HUB)
OF_AGENT = frozenset(
    {Kind.KILL_AGENT, Kind.CUT_AGENT, Kind.FILL_DISK, Kind.STEP_CLOCK, Kind.BURST, *LONG[:2]}
)
OF_INGEST = frozenset({Kind.KILL_INGEST, Kind.FREEZE_INGEST, Kind.CUT_INGEST, Kind.CUT_POSTGRES})
HOLDS = {  # seconds: shortest and longest
    Kind.KILL_AGENT: (0.0, 3.0),
    Kind.KILL_BROKER: (0.0, 4.0),
    Kind.KILL_INGEST: (0.0, 3.0),
    Kind.KILL_POSTGRES: (0.0, 2.0),
    Kind.FREEZE_INGEST: (2.0, 7.0),
    Kind.FILL_DISK: (4.0, 9.0),
    Kind.RESTORE_AGENT: (4.0, 9.0),
    Kind.CLONE_AGENT: (8.0, 14.0),
    Kind.RESTORE_HUB: (6.0, 12.0),
}
CUT_S = (1.0, 9.0)
STEPS_S = ("-3600", "-90", "-5", "5", "90", "240", "86400")  # of a clock
FILLS = ("fresh", "fresh", "running")  # a log that has grown once has room of its own on a full disk
PACE_S = 3.5  # between two faults, on average
FREQUENT = (*KILLS, *CUTS, *KILLS, *CUTS)  # what chance draws more often


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    number: int
    at_s: float
    kind: Kind
    target: str  # an agent, an ingest process, or empty: there is one
    hold_s: float
    how: str = ""

    def __str__(self) -> str:
        words = (f"#{self.number}", self.kind, self.target, self.how, f"{self.hold_s:.1f} s")
        return " ".join(word for word in words if word)


def plan(
    seed: int, seconds: float, *, kinds: Sequence[Kind], agents: Sequence[str], ingests: Sequence[str]
) -> list[Fault]:
    """Faults within ``seconds``, in the order of their times."""
    chance = random.Random(seed)
    order = _first_round(chance, kinds)
    pace = min(PACE_S, 0.85 * seconds / len(order))
    faults: list[Fault] = []
    at = 0.5
    while at < seconds:
        kind = order.pop(0) if order else _any(chance, kinds, seconds - at)
        faults.append(_fault(chance, len(faults) + 1, at, kind, (agents, ingests)))
        at += pace * (0.3 + 1.4 * chance.random())
    return faults


def _first_round(chance: random.Random, kinds: Sequence[Kind]) -> list[Kind]:
    long = [kind for kind in LONG if kind in kinds]
    short = [kind for kind in kinds if kind not in LONG]
    chance.shuffle(short)
    early = [*long, *short[: len(long)]]
    chance.shuffle(early)
    return [*early, *short[len(long) :]]


def _any(chance: random.Random, kinds: Sequence[Kind], left_s: float) -> Kind:
    frequent = sorted(kind for kind in FREQUENT if kind in kinds)
    fitting = [kind for kind in kinds if kind not in LONG or left_s > 25]
    return chance.choice([*fitting, *frequent])


def _fault(
    chance: random.Random, number: int, at: float, kind: Kind, targets: Sequence[Sequence[str]]
) -> Fault:
    """``targets`` are the agents and the ingest processes."""
    shortest, longest = HOLDS.get(kind, CUT_S)
    of = targets[0] if kind in OF_AGENT else targets[1] if kind in OF_INGEST else ("",)
    how = chance.choice(HOWS) if kind in CUTS else ""
    if kind is Kind.STEP_CLOCK:
        how = chance.choice(STEPS_S)
    if kind is Kind.FILL_DISK:
        how = chance.choice(FILLS)
    return Fault(
        number=number,
        at_s=round(at, 1),
        kind=kind,
        target=chance.choice(of),
        hold_s=round(shortest + (longest - shortest) * chance.random(), 1),
        how=how,
    )
