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
    Entry("Plant", "fleet.show", frozenset({"capture", "fleet", "machine"})),
    Entry("Devices", "devices.index", frozenset({"device", "devices", "enrol"})),
    Entry("Models", "model.index", frozenset({"comparison", "deciding", "lineage", "model", "whatif"})),
    Entry("Rollouts", "rollout.index", frozenset({"rollout", "start"})),
    Entry("Data", "data.index", frozenset({"data", "quarantine", "storage"})),
    Entry("Jobs", "jobs.index", frozenset({"jobs"}), Permission.AUDIT),
    Entry("Audit", "audit.index", frozenset({"audit"}), Permission.AUDIT),
)
