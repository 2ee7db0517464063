"""What the head of every page leads to, in the order in which people ask."""

from dataclasses import dataclass

from cloud_hub.identity.people.permissions import Permission


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    endpoint: str
    blueprints: frozenset[str]  # whose pages stand below it
    permission: Permission = Permission.SEE  # whoever lacks it is not led there


ENTRIES = (
    Entry("Plant", "fleet.show", frozenset({"fleet", "machine", "capture"})),
    Entry("Devices", "devices.index", frozenset({"devices", "device", "enrol"})),
    Entry("Models", "model.index", frozenset({"model", "whatif"})),
    Entry("Rollouts", "rollout.index", frozenset({"rollout"})),
)
