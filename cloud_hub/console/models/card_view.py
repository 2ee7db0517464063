"""The card of a version as a page: what ``andon model card`` writes, as far as it is the caller's to see.

The drawings are those of the bundle that was signed, and only of it: a card that is not what the
registry knows by its hash is not shown. They name no machine, and are told to whoever may see every site.
"""

import re
from collections.abc import Iterable
from html import unescape
from typing import Any

from markupsafe import Markup

from cloud_hub.console import reach
from cloud_hub.console.here import caller, hub
from cloud_hub.console.models import model_view
from cloud_hub.console.words import figure, unit
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.registry.trace import Trace
from wire.bundle import file_sha256, read_bundle
from wire.errors import WireError
from wire.manifest import Manifest

DRAWN = re.compile(r"<h2>([^<]*)</h2><div class=drawn>(.*?)</div><p class=faint>([^<]*)</p>", re.DOTALL)

Pairs = list[tuple[str, str]]


def facts(found: Trace) -> dict[str, Any]:
    """What the template tells."""
    gate, manifest = found.model.gate, found.model.manifest
    evidence = gate.get("evidence") or {}
    by_machine = found.source.metrics.get("by_machine", {})
    seen = reach.machines_seen(by_machine)
    text = signed_card(found)
    return {
        "gate": gate,
        "reason": model_view.reason_of(gate),
        "checks": model_view.checks_of(gate),
        "oracle": (evidence.get("oracle") or {}).get("said", ""),
        "figure_name": (evidence.get("figure") or {}).get("name", "error"),
        "slices": _slices(evidence),
        "machines": [(name, _with_unit(by_machine[name], manifest)) for name in seen],
        "unseen": len(by_machine) - len(seen),
        "outputs": [
            (out.name, f"{figure(out.low)} to {figure(out.high)} {unit(out.unit)}")
            for out in manifest.outputs
        ],
        "interval": _interval(manifest),
        "alarms": [
            (
                f"{rule.output.replace('_', ' ')} {rule.direction} {figure(rule.threshold)}",
                f"{rule.persistence} in a row; ends past {figure(rule.clear)}",
            )
            for rule in manifest.alarms
        ],
        "precisions": list(found.precisions.items()),
        "origin": _origin(found),
        "drawings": drawings(text),
        "kept": bool(text),
    }


def signed_card(found: Trace) -> str:
    """The card in the bundle that was signed; empty where there is none, or it is not the caller's."""
    model = found.model
    if caller().rights.sites(Permission.SEE) is not None or not model.bundle_sha256 or model.removed:
        return ""
    path = hub().artifacts / "bundles" / f"{model.release}.zip"
    try:
        return read_bundle(path).card_html if file_sha256(path) == model.bundle_sha256 else ""
    except (OSError, WireError):
        return ""


def drawings(card: str) -> list[dict[str, Any]]:
    """The drawings of a card, which ``compiler.card`` made of numbers and of names that it escaped."""
    return [
        {"heading": unescape(heading), "html": Markup(html), "words": unescape(words)}  # noqa: S704 - our own
        for heading, html, words in DRAWN.findall(card)
    ]


def _slices(evidence: Any) -> Pairs:
    rows = evidence.get("slices") or []
    hidden = model_view.unseen_slices(row["name"] for row in rows)
    code = evidence.get("unit", "")
    return [
        (row["name"], f"{figure(row['figure'])} {unit(code)} on {row['machines']} machines")
        for row in rows
        if row["name"] not in hidden
    ]


def _with_unit(value: float, manifest: Manifest) -> str:
    return f"{figure(value)} {unit(manifest.outputs[0].unit)}"


def _interval(manifest: Manifest) -> Pairs:
    if manifest.interval is None:
        return []
    table, told = manifest.interval, unit(manifest.outputs[0].unit)
    steps: Iterable[tuple[float, float, float]] = zip(table.edges, table.lower, table.upper, strict=True)
    return [
        (
            f"from {figure(edge)} {told}",
            f"{table.coverage:.0%} lie between -{figure(low)} and +{figure(high)} {told}",
        )
        for edge, low, high in steps
    ]


def _origin(found: Trace) -> Pairs:
    source = found.source
    told = {
        "run": source.run,
        "asked for because": source.why,
        "dataset": source.dataset,
        "dataset hash": source.dataset_hash,
        "feature set": f"{source.feature_set} {source.feature_set_version[:12]}",
        "code": source.code,
        "correlation": source.correlation,
        "network, SHA-256": found.model.onnx_sha256,
        "bundle, SHA-256": found.model.bundle_sha256 or "",
    }
    return [(name, value) for name, value in told.items() if value.strip()]
