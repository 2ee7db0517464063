"""Models as text for a terminal. Pure: rows in, lines out."""

from typing import Any

from cloud_hub.registry.trace import Trace
from cloud_hub.store.database import Row

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
    names = ("release", "use_case", "version", "state", "run", "dataset", "created", "released")
    return {name: row[name] for name in names} | {
        "aliases": row["aliases"] or [],
        "rmse": None if row["rmse"] is None else float(row["rmse"]),
        "passed": row["gate"]["passed"],
        "reason": row["gate"]["reason"],
    }


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    rmse = "" if row["rmse"] is None else f"{row['rmse']:.4g}"
    made = f"{row['created']:{DATE}}"
    aliases = ", ".join(row["aliases"])
    return (row["release"], row["state"], aliases, rmse, row["dataset"] or "", made)


def traced(trace: Trace) -> str:
    model, source, counted = trace.model, trace.source, trace.predictions
    said = "passed" if model.gate["passed"] else "refused"
    lines = [
        f"{model.release}  {model.state}",
        f"  gate         {said}: {model.gate['reason']}",
        *(f"  approved     {_approval(row)}" for row in trace.approvals),
        f"  run          {source.run} of {source.created:{DATE}}, correlation {source.correlation}",
        f"  code         {source.code}",
        f"  dataset      {source.dataset}",
        f"  hash         {source.dataset_hash}",
        f"  features     {source.feature_set} {source.feature_set_version[:12]}",
        f"  rows         {source.rows:,} of {source.machines} machines, {source.failures} failures",
        f"  span         {source.span[0]} to {source.span[1]}",
        f"  network      SHA-256 {model.onnx_sha256}",
        f"  bundle       SHA-256 {model.bundle_sha256 or '(not released)'}",
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
        f"NASA score {found['nasa']:.0f}",
        f"  raw:  RMSE {raw['rmse']:.2f}, MAE {raw['mae']:.2f}, NASA score {raw['nasa']:.0f}",
        f"  interval held {found['coverage']:.1%} of the truths",
        *(f"  {name}: RMSE {value:.2f}" for name, value in found["baselines"].items()),
    ]
    if found["unforeseen"]:
        lines.append(f"  without a prediction: {', '.join(found['unforeseen'])}")
    return "\n".join(lines)


def _approval(row: Row) -> str:
    override = f", against the gate: {row['override']}" if row["override"] else ""
    return f"by {row['person']} on {row['approved']:{DATE}}{override}"
