"""Every MQTT topic Andon uses, built and parsed in one place.

    andon/v1/{device}/birth                 edge -> hub   retained: what the device is and has
    andon/v1/{device}/status                edge -> hub   retained, last will: online or offline
    andon/v1/{device}/batch                 edge -> hub   QoS 1: everything else it has to say
    andon/v1/{device}/committed             hub -> edge   commit marks
    andon/v1/{device}/directive/{use_case}  hub -> edge   the signed wish
    andon/v1/{device}/command               hub -> edge   rebirth, waveform, self-test

No other module spells a topic.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from wire.errors import TopicError

ROOT = "andon/v1"

# MQTT gives "+", "#" and "/" a meaning, and certificates carry at most 64 characters.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Channel(StrEnum):
    BIRTH = "birth"
    STATUS = "status"
    BATCH = "batch"
    COMMITTED = "committed"
    DIRECTIVE = "directive"
    COMMAND = "command"


_CHANNELS = frozenset(map(str, Channel))


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic; ``use_case`` is there for a directive and for nothing else."""

    device: str
    channel: Channel
    use_case: str | None = None

    def __post_init__(self) -> None:
        for kind, name in (("device", self.device), ("use case", self.use_case)):
            if name is not None and not NAME.fullmatch(name):
                raise TopicError(f"expected a {kind} name like press-04, got {name!r}")
        if (self.use_case is not None) != (self.channel is Channel.DIRECTIVE):
            raise TopicError(f"only a directive names a use case, got {self.channel}/{self.use_case}")

    def __str__(self) -> str:
        tail = f"/{self.use_case}" if self.use_case else ""
        return f"{ROOT}/{self.device}/{self.channel}{tail}"

    @classmethod
    def parse(cls, text: str) -> Self:
        prefix, _, rest = text.partition(f"{ROOT}/")
        parts = rest.split("/")
        if prefix or len(parts) not in (2, 3) or parts[1] not in _CHANNELS:
            raise TopicError(f"expected {ROOT}/<device>/<channel>, got {text!r}")
        return cls(parts[0], Channel(parts[1]), *parts[2:])


def ingest_filters(group: str) -> tuple[str, ...]:
    """What the ingest processes share among them: each message reaches one member of ``group``."""
    channels = (Channel.BATCH, Channel.BIRTH, Channel.STATUS)
    return tuple(f"$share/{group}/{ROOT}/+/{channel}" for channel in channels)


INGEST_FILTERS = ingest_filters("ingest")
"""For a broker that lets nobody but the hub subscribe to them; else the group's name is a secret."""


def device_filters(device: str) -> tuple[str, ...]:
    """What one device listens to: its own, and nothing of its neighbours."""
    Topic(device, Channel.COMMAND)  # refuses a name that would widen the filter
    return tuple(f"{ROOT}/{device}/{tail}" for tail in ("committed", "directive/+", "command"))
