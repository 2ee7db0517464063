"""The model card: one HTML page that explains a release to whoever must trust it, without any other file."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cloud_hub.compiler.findings import Finding
from wire.manifest import Manifest

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;"
    "border-bottom:1px solid #d8dee4;vertical-align:top}code{font-size:.85em;overflow-wrap:anywhere}"
    ".drawn{overflow-x:auto}summary{cursor:pointer}"
    ".plot{width:100%;height:auto;font-size:12px;fill:currentColor}.plot .grid{stroke:#8884;stroke-width:1}"
    ".plot .range{stroke:#2f6fd0;stroke-width:3;opacity:.45}.plot circle{fill:#2f6fd0}.faint{color:#6a737d}"
    ".plot .line{fill:none;stroke:#2f6fd0;stroke-width:2}.plot .level{stroke:#c2410c;stroke-dasharray:5 4}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}td,th{border-color:#30363d}}"
)


def render(
    manifest: Manifest,
    *,
    title: str,
    gate: Mapping[str, Any],
    metrics: Mapping[str, Any],
    found: Sequence[Finding],
    precisions: Sequence[tuple[str, str]],
) -> str:
    """The card of the release that ``manifest`` names; equal arguments give equal text."""
    verdict = "passed the gate" if gate["passed"] else "was refused by the gate"
    checks = [(check["name"], _checked(check)) for check in gate.get("checks", ())]
    outputs = [(out.name, f"{out.low:g} to {out.high:g} {_unit(out.unit)}") for out in manifest.outputs]
    sections = [
        f"<h1>{escape(manifest.release)}</h1>",
        f"<p>{escape(title)}: {verdict}. {escape(str(gate['reason']))}.</p>",
        _section("What it was held to", checks),
        *(_drawn(each) for each in found),
        _section("How wrong it is, by site and operating condition", _slices(gate.get("evidence", {}))),
        _section("How wrong it is, machine by machine", _errors(manifest, metrics)),
        _section("How sure it is", _interval(manifest)),
        _section("What else it may be computed in, beside float32", precisions),
        _section("When it alarms", [(rule.output, _rule(rule)) for rule in manifest.alarms]),
        _section("Where it comes from", sorted(manifest.lineage.items())),
        _inputs(manifest),
        _section("What comes out", outputs),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(manifest.release)}</title><style>{STYLE}</style>{''.join(sections)}</html>\n"
    )


def _section(heading: str, rows: Sequence[tuple[str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(value)}</code></td></tr>" for name, value in rows
    )
    return f"<h2>{escape(heading)}</h2><table>{cells}</table>"


def _inputs(manifest: Manifest) -> str:
    """Folded: there may be hundreds."""
    cells = "".join(
        f"<tr><th>{escape(value.name)}</th><td><code>{escape(value.unit)}</code></td></tr>"
        for value in manifest.inputs
    )
    told = f"{len(manifest.inputs)} numbers of {escape(manifest.feature_set)}"
    return f"<h2>What goes in</h2><details><summary>{told}</summary><table>{cells}</table></details>"


def _drawn(finding: Finding) -> str:
    words = f"<p class=faint>{escape(finding.words)}</p>"
    return f"<h2>{escape(finding.heading)}</h2><div class=drawn>{finding.html}</div>{words}"


def _checked(check: Mapping[str, Any]) -> str:
    return f"{'yes' if check['passed'] else 'NO'}: {check['found']}; asked {check['bar']}"


def _errors(manifest: Manifest, metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    unit = _unit(manifest.outputs[0].unit)
    return [(name, f"{rmse:.4g} {unit}") for name, rmse in sorted(metrics.get("by_machine", {}).items())]


def _slices(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    unit = _unit(evidence.get("unit", ""))
    return [
        (row["name"], f"{row['figure']:.4g} {unit} on {row['machines']} machines")
        for row in evidence.get("slices", ())
    ]


def _interval(manifest: Manifest) -> list[tuple[str, str]]:
    if manifest.interval is None:
        return []
    table, unit = manifest.interval, _unit(manifest.outputs[0].unit)
    steps = zip(table.edges, table.lower, table.upper, strict=True)
    return [
        (f"from {edge:g} {unit}", f"{table.coverage:.0%} lie between -{low:.3g} and +{high:.3g} {unit}")
        for edge, low, high in steps
    ]


def _unit(code: str) -> str:
    """A UCUM code for the eye: "{cycle}" is cycle, and a bare number has none."""
    return "" if code == "1" else code.strip("{}")


def _rule(rule: Any) -> str:
    return (
        f"{rule.direction} {rule.threshold:g}, {rule.persistence} times in a row; ends beyond {rule.clear:g}"
    )
