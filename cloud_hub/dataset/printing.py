"""Datasets and their differences as plain values for JSON, and as lines for a person."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # they bring compiled kernels and Arrow
    from cloud_hub.dataset.difference import Difference
    from cloud_hub.dataset.snapshot import Dataset

DATE = "%Y-%m-%d %H:%M"
MOST = 12  # lines of a kind


def fields(dataset: "Dataset") -> dict[str, Any]:
    names = ("id", "use_case", "hash", "rows", "machines", "feature_set", "created", "manifest")
    return {name: getattr(dataset, name) for name in names} | {
        "failures": dataset.lives,
        "warnings": len(dataset.manifest.get("warnings", ())),
        "path": dataset.location,
    }


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    counts = (f"{row['rows']:,}", str(row["machines"]), str(row["failures"]))
    return (row["id"], *counts, row["feature_set"], str(row["warnings"]), f"{row['created']:{DATE}}")


def text(row: dict[str, Any]) -> str:
    manifest = row["manifest"]
    first, last = (datetime.fromisoformat(edge) for edge in manifest["span"])
    lines = [
        row["id"],
        f"  {row['rows']:,} rows of {row['machines']} machines, {first:{DATE}} to {last:{DATE}}",
        f"  {manifest['failed_lives']} lives that failed, {manifest['censored_lives']} that did not",
        *_health(manifest),
        f"  {len(manifest['features'])} features of {row['feature_set']} "
        f"({manifest['feature_set_version'][:12]}), code {manifest.get('code') or 'unknown'}",
        f"  SHA-256 {row['hash']}",
        f"  {row['path']}",
        *_some([f"  warning: {warning}" for warning in manifest.get("warnings", ())]),
        *_some([f"  {_made(made)}" for made in row.get("made_of_it", ())]),
    ]
    return "\n".join(lines)


def difference(found: "Difference") -> dict[str, Any]:
    return asdict(found)


def difference_text(found: "Difference") -> str:
    lines = [
        *_some(
            [
                f"{name}: {told['added']} rows more, {told['removed']} less"
                for name, told in found.rows.items()
            ]
        ),
        *_some([f"{name}: labels say something else of {rows} rows" for name, rows in found.labels.items()]),
        *_some([f"{name}: came" for name in found.features_added]),
        *_some([f"{name}: went" for name in found.features_removed]),
        *_some([f"{name}: moved, PSI {psi:.2f}" for name, psi in found.moved.items()]),
        *(f"{name}: {one} became {other}" for name, (one, other) in found.made_by.items()),
    ]
    return "\n".join(lines) if lines else "the same rows with the same labels, by the same code"


def _health(manifest: dict[str, Any]) -> list[str]:
    told = manifest.get("health")
    if not told:
        return []
    by_fault = ", ".join(f"{name} {rows:,}" for name, rows in told["faults"].items())
    return [
        f"  {told['sound']:,} rows known to be sound, {told['faulty']:,} to be faulty {by_fault}".rstrip()
    ]


def _made(made: dict[str, Any]) -> str:
    if made["release"] is None:
        return f"run {made['run']} ({made['state']})"
    named = f", {' and '.join(made['aliases'])}" if made["aliases"] else ""
    return f"run {made['run']} made {made['release']} ({made['model_state']}{named})"


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MOST
    return lines if more <= 0 else [*lines[:MOST], f"  and {more} more"]
