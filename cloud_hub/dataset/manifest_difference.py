"""What changed from one dataset to another, as far as manifests tell: at once, whatever their size. Pure.

Rows are compared by number, machine by machine; which of them are the same only the files know
(``andon data diff``, :mod:`cloud_hub.dataset.difference`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MADE_BY = ("feature_set", "feature_set_version", "code", "schema")  # of a manifest

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Of a number: what it was in the first and is in the second; None where that one does not say."""

    name: str
    first: float | None
    second: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDifference:
    """From the first to the second."""

    figures: tuple[Change, ...]  # all of them, changed or not
    machines_added: tuple[str, ...]
    machines_removed: tuple[str, ...]
    machines_changed: tuple[Change, ...]  # rows, those that changed most first
    features_added: tuple[str, ...]
    features_removed: tuple[str, ...]
    made_by: tuple[tuple[str, Any, Any], ...]  # what of ``MADE_BY`` is not the same
    warnings_new: tuple[str, ...]
    warnings_gone: tuple[str, ...]


def compare(first: Manifest, second: Manifest) -> ManifestDifference:
    one, other = first.get("rows_by_machine") or {}, second.get("rows_by_machine") or {}
    changed = [Change(name=name, first=one[name], second=other[name]) for name in one if name in other]
    moved = [each for each in changed if each.first != each.second]
    names = [[each["name"] for each in told.get("features") or ()] for told in (first, second)]
    warnings = [list(told.get("warnings") or ()) for told in (first, second)]
    return ManifestDifference(
        figures=tuple(_figures(first, second)),
        machines_added=_missing(other, one),
        machines_removed=_missing(one, other),
        machines_changed=tuple(sorted(moved, key=_by_size)),
        features_added=_missing(names[1], names[0]),
        features_removed=_missing(names[0], names[1]),
        made_by=tuple(
            (name, first.get(name), second.get(name))
            for name in MADE_BY
            if first.get(name) != second.get(name)
        ),
        warnings_new=_missing(warnings[1], warnings[0]),
        warnings_gone=_missing(warnings[0], warnings[1]),
    )


def _figures(first: Manifest, second: Manifest) -> list[Change]:
    found = [
        Change(name=name, first=_rows(first), second=_rows(second))
        if name == "rows"
        else Change(name=name.replace("_", " "), first=first.get(name), second=second.get(name))
        for name in ("rows", "failed_lives", "censored_lives", "labels")
    ]
    one, other = _health(first), _health(second)
    names = dict.fromkeys([*one, *other])
    return found + [Change(name=name, first=one.get(name), second=other.get(name)) for name in names]


def _rows(manifest: Manifest) -> float | None:
    by_machine = manifest.get("rows_by_machine")
    return sum(by_machine.values()) if by_machine else None


def _health(manifest: Manifest) -> dict[str, float]:
    """Rows by what labels say of them."""
    told = manifest.get("health") or {}
    faults = {f"rows with {name}": rows for name, rows in (told.get("faults") or {}).items()}
    return {f"rows {name}": told[name] for name in ("sound", "faulty") if name in told} | faults


def _missing(these: Any, those: Any) -> tuple[str, ...]:
    """What is in ``these`` and not in ``those``."""
    there = set(those)
    return tuple(name for name in these if name not in there)


def _by_size(change: Change) -> tuple[float, str]:
    return -abs((change.second or 0) - (change.first or 0)), change.name
