"""What could not be kept lately, by site and reason: how many gaps, on how many devices, how much.

A reason is the device's own word, or the hub's; the known ones are explained.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from cloud_hub.store.database import Database, load_queries

QUERIES = load_queries("cloud_hub.store", "lost.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    site: str
    reason: str
    gaps: int
    devices: int
    batches: int
    seconds: float  # of time that the gaps span, of all devices together
    last: datetime
    device: str  # of the newest one

    @property
    def explanation(self) -> str:
        return EXPLANATIONS.get(self.reason, "The device's own word; its page lists each gap.")


EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        "agent-down": "The agent did not run, and its sensors cannot be read again: see why it was down.",
        "source-away": "What it reads from was away: see to the sensor, its bus or the file.",
        "disk-full": "Its outbox was over its budget: raise `outbox.max_bytes`, or see why it waits.",
        "bad-value": "A reading that no feature can be made of, such as NaN: look at the sensor.",
        "bad-window": "A waveform that no feature can be made of: look at the sensor and its rate.",
        "not-finite": "NaN or an infinity among its readings: look at the sensor.",
        "unknown-machine": "Readings of a machine that is not in its signal table: a fault of its source.",
        "unknown-signal": "Readings of a signal that is not in its signal table: a fault of its source.",
        "no-prediction": "The model did not answer: the device's page and its log say why.",
        "unknown-condition": "It ran as its release has not learnt it; then no prediction is honest.",
        "image-restored": "The device came back as an older image; from then on readings may be missing.",
        "outbox-damaged": "Its outbox could not be read and was begun again: look at its disk.",
        "outbox-lost": "It came back without what it had not sent yet: its disk was lost or cleared.",
        "unreadable": "A batch on its disk was damaged; the bytes are in quarantine. Look at its disk.",
        "lost-at-hub": "The device no longer has it and the hub never got it; nobody could say why.",
        "hub-restored": "The hub came back from a backup; what came after that backup is gone.",
        "self-test": "A self-test of the device, which writes one on purpose.",
    }
)


def lately(
    database: Database, since: datetime, *, sites: list[str] | None = None, most: int = 50
) -> list[Lost]:
    """Gaps noted since then at ``sites`` (None: all), newest first."""
    values = {"since": since, "sites": sites, "most": most}
    return [Lost(**row) for row in database.rows(QUERIES["by_reason"], values)]
