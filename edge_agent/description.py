"""What the status file says of a running agent: how far it read, what waits, what runs, what went wrong."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edge_agent.config import AgentConfig
from edge_agent.identity import Identity
from edge_agent.outbox import Outbox
from edge_agent.parts import Parts
from edge_agent.recorder import Recorder
from edge_agent.runners.chain import Chain
from edge_agent.selftest import Finding
from edge_agent.uplink import Uplink
from edge_agent.voice import agent_version


def describe(
    parts: Parts, config: AgentConfig, identity: Identity, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Plain values for JSON; epochs as text, for 64 bits are more than a JSON number carries safely."""
    feed, uplink, updates = parts.feed, parts.uplink, parts.updates
    return {
        "device": config.device,
        "site": identity.site,
        "pid": os.getpid(),
        "agent_version": agent_version(),
        "feed": {
            "address": config.feed.address,
            "connected": feed.connected,
            "ended": feed.ended,
            "reason": feed.reason,
        },
        "sources": {config.device: _source(parts.recorder)},
        "counters": asdict(parts.recorder.stored.counters),
        "outbox": _outbox(parts.outbox) | {"max_bytes": config.outbox.max_bytes, "full": parts.recorder.full},
        "uplink": _uplink(uplink) | {"max_bytes_per_s": config.uplink.max_bytes_per_s},
        "releases": {use_case: loaded.release for use_case, loaded in updates.running().items()},
        "inference": {
            use_case: loaded.runner.describe()
            for use_case, loaded in updates.running().items()
            if isinstance(loaded.runner, Chain)
        },
        "updates": updates.status() | {"deferrals": parts.deferrals.status()},
        "certificate": parts.renewal.status(),
        "self_test": [asdict(finding) for finding in findings],
        "last_error": parts.recorder.last_error or uplink.state.last_refusal,
    }


def _uplink(uplink: Uplink) -> dict[str, Any]:
    own = {
        "out": uplink.out,
        "resent": uplink.resent,
        "bytes": uplink.payload_bytes,
        "behind": uplink.behind(),
    }
    return asdict(uplink.state) | own


def _source(recorder: Recorder) -> dict[str, int]:
    stored = recorder.stored
    return {
        "position": stored.position,
        "newest_us": stored.newest_us,
        "readings": stored.counters.readings,
        "samples": stored.counters.samples,
    }


def _outbox(outbox: Outbox) -> dict[str, Any]:
    return {
        "epoch": str(outbox.epoch),
        "batches": outbox.backlog.batches,
        "bytes": outbox.backlog.bytes,
        "dropped": outbox.dropped,
        "oldest_us": outbox.oldest_us(),
        "floors": [
            {"epoch": str(item.epoch), "floor": item.floor, "next": item.next} for item in outbox.floors()
        ],
    }
