"""Models as text for a terminal. Pure: rows in, lines out."""

from collections.abc import Mapping
from typing import Any

from cloud_hub.registry import wording
from cloud_hub.registry.trace import Trace
from cloud_hub.store.database import Row
from cloud_hub.terminal import printable

DATE = "%Y-%m-%d %H:%M"


def trained(row: Row) -> str:
    verdict = row["gate"]
    said = "passed the gate" if verdict["passed"] else "refused by the gate"
    lines = [f"{row['release']} from {row['dataset']}: {said}", f"  {verdict['reason']}"]
    if verdict["passed"]:
        lines.append(f"  approve it with `andon model approve {row['release']}`")
    return "\n".join(lines)


def listed(row: Row) -> dict[str, Any]:
    """One row of ``andon model list`` as plain values."""
    names = ("release", "use_case", "version", "state", "run", "dataset", "created", "released", "why")
    return {name: row[name] for name in (*names, "refused_by", "refusal")} | {
        "aliases": row["aliases"] or [],
        "figure": figure_of(row["gate"], row["rmse"]),
        "passed": row["gate"]["passed"],
        "reason": row["gate"]["reason"],
    }


def figure_of(gate: Mapping[str, Any], rmse: str | None) -> Mapping[str, Any] | None:
    """What a model is judged by, with its unit; where its gate named none, the ``rmse`` of its run."""
    evidence = gate.get("evidence") or {}
    if "figure" in evidence:
        figure: Mapping[str, Any] = evidence["figure"]
        return figure
    return {"name": "RMSE", "value": float(rmse), "unit": evidence.get("unit", "1")} if rmse else None


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    figure, made = row["figure"], f"{row['created']:{DATE}}"
    told = _figure(figure) if figure else ""
    return (row["release"], _state(row), ", ".join(row["aliases"]), told, row["why"], made)


def traced(trace: Trace, missing: str) -> str:
    """``missing``: what it still takes until it is approved."""
    model, source, counted = trace.model, trace.source, trace.predictions
    said = "passed" if model.gate["passed"] else "refused"
    removed = f", files removed on {model.removed:{DATE}}" if model.removed else ""
    aliases = f", {' and '.join(trace.aliases)}" if trace.aliases else ""
    gone = f", files removed on {source.dataset_removed:{DATE}}" if source.dataset_removed else ""
    oracle = (model.gate.get("evidence") or {}).get("oracle")
    lines = [
        f"{model.release}  {model.state}{aliases}{removed}",
        f"  gate         {said}: {model.gate['reason']}",
        *([f"  oracle       {oracle['said']}"] if oracle else []),
        *(f"  approved     {_approval(row)}" for row in trace.approvals),
        *([f"  refused      {_refusal(trace.refusal)}"] if trace.refusal else []),
        *([f"  waits        {missing}"] if missing else []),
        f"  trained      {source.why or '(nobody knows why)'}",
        f"  run          {source.run} of {source.created:{DATE}}, correlation {source.correlation}",
        f"  code         {source.code}",
        f"  dataset      {source.dataset}{gone}",
        f"  hash         {source.dataset_hash}",
        f"  features     {source.feature_set} {source.feature_set_version[:12]}",
        f"  rows         {source.rows:,} of {source.machines} machines, {source.failures} failures",
        f"  span         {source.span[0]} to {source.span[1]}",
        f"  network      SHA-256 {model.onnx_sha256}",
        f"  bundle       SHA-256 {model.bundle_sha256 or '(not released)'}",
        *(f"  {name:<11}  {told}" for name, told in trace.precisions.items()),
        *(f"  rollout      {_rollout(row)}" for row in trace.rollouts),
        f"  predictions  {counted['predictions']:,} of {counted['machines']} machines",
        f"  devices      {', '.join(trace.devices) or 'none'}",
    ]
    return "\n".join(lines)


def scored(found: dict[str, Any]) -> str:
    unit = found["unit"]
    raw = found["raw"]
    lines = [
        f"{found['named']}: {found['predictions']} predictions by devices, of {found['machines']} machines",
        f"  clip at {found['cap']:g} {unit}: RMSE {found['rmse']:.2f}, MAE {found['mae']:.2f}, "
        f"NASA score {found['nasa']:.6g}",
        f"  raw:  RMSE {raw['rmse']:.2f}, MAE {raw['mae']:.2f}, NASA score {raw['nasa']:.6g}",
        f"  interval held {found['coverage']:.1%} of the truths",
        *(f"  {name}: RMSE {value:.2f}" for name, value in found["baselines"].items()),
    ]
    if found["unforeseen"]:
        lines.append(f"  without a prediction: {', '.join(found['unforeseen'])}")
    return "\n".join(lines)


def _state(row: dict[str, Any]) -> str:
    """With who has said so, where the state alone does not tell."""
    if row["state"] in ("approved", "released") and not row["passed"]:
        return f"{row['state']}, against the gate"
    if row["state"] == "refused" and row.get("refused_by"):
        return f"refused by {row['refused_by']}"
    return str(row["state"])


def _refusal(row: Row) -> str:
    return f"for good by {row['person']} on {row['refused']:{DATE}}: {printable(row['reason'])}"


def _approval(row: Row) -> str:
    override = f", against the gate: {row['override']}" if row["override"] else ""
    return f"by {row['person']} on {row['approved']:{DATE}}{override}"


def _rollout(row: Row) -> str:
    reached = f"{row['committed']} of {row['devices']} devices"
    return f"{row['id']} {row['state']}, {reached}, by {row['created_by']} on {row['created']:{DATE}}"


def _figure(figure: Mapping[str, Any]) -> str:
    unit = "" if figure["unit"] == "1" else f" {figure['unit'].strip('{}')}"
    return f"{figure['name']} {wording.figure(figure['value'])}{unit}"
