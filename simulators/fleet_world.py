"""What the light devices of one process share, and what each of them says it is."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from simulators.fleet_faults import Faults
from simulators.fleet_identity import Hub, StateFolder
from simulators.fleet_loop import Loop
from simulators.fleet_trust import Trust
from simulators.fleet_updates import Pace
from wire.clock import Clock
from wire.table import Machine, Signal, SignalTable

SIGNALS = (("temperature", "Cel"), ("pressure", "bar"), ("power", "kW"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What every device of a fleet says of itself."""

    profile: str = "generic"
    target: str = "cpu"
    machine_class: str = "motor-pump"
    feature_set: str = "vibration-trend/2"

    def table(self, device: str) -> SignalTable:
        """One machine with a few scalars."""
        machine = Machine(
            name=f"{device}-machine", machine_class=self.machine_class, feature_set=self.feature_set
        )
        signals = [Signal(id=at, machine=0, name=name, unit=unit) for at, (name, unit) in enumerate(SIGNALS)]
        return SignalTable(machines=(machine,), signals=tuple(signals))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``counts`` is what happened to all of them together."""

    hub: Hub
    state: StateFolder
    kind: Kind
    faults: Faults
    pace: Pace
    clock: Clock
    trust: Trust
    loop: Loop
    random: Random
    tell: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)

    def note_trouble(self, reason: str) -> None:
        """Count what went wrong, and say the first one: thousands of devices meet it together."""
        self.counts["troubles"] += 1
        if self.counts["troubles"] == 1:
            self.tell(reason)
