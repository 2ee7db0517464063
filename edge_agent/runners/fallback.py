"""What is told when another execution answers than before, or a signed engine does not; pure."""

from dataclasses import dataclass, field
from typing import Any

from edge_agent.runners.link import Link
from wire.manifest import Manifest

FELL_BACK, CAME_UP, REFUSED = "fell-back", "came-up", "engine-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    use_case: str
    release: str
    event: str  # FELL_BACK or CAME_UP
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)  # which execution answers now


def change(manifest: Manifest, before: Link, after: Link, *, fell: bool) -> Change:
    """From ``before``, which no longer answers, to ``after``."""
    if fell:
        why = before.reason or "it does not answer"
        reason = f"{after.way.title} answers instead of {before.way.title}: {why}"
    else:
        reason = f"{after.way.title} has answered its golden inputs here, and answers from now on"
    return Change(
        use_case=manifest.use_case,
        release=manifest.release,
        event=FELL_BACK if fell else CAME_UP,
        reason=reason,
        evidence={"runner": after.way.name, "precision": str(after.way.precision)},
    )


def refusal(manifest: Manifest, reason: str) -> Change:
    """A signed engine does not answer the golden inputs here; what answers is told by itself."""
    return Change(use_case=manifest.use_case, release=manifest.release, event=REFUSED, reason=reason)
