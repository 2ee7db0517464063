"""What the page of a dataset shows of its manifest. Pure; of an older manifest, which says less, less."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud_hub.dataset import meanings
from cloud_hub.dataset.meanings import Told

WIDTH, HEIGHT = 96, 22  # of a small histogram, as of a sparkline
LOWEST = 0.6  # of a bar that stands for something

Manifest = Mapping[str, Any]


def facts(manifest: Manifest) -> dict[str, Any]:
    """Span and query as times, and the rest as it is."""
    query = manifest.get("query") or {}
    times = [_time(text) for text in (manifest.get("span") or ())]
    return {
        "first": times[0] if len(times) == 2 else None,
        "last": times[1] if len(times) == 2 else None,
        "since": _time(query.get("since")),
        "until": _time(query.get("until")),
        "machine_class": query.get("machine_class", ""),
        "lives_begun": manifest.get("lives_begun") or {},
        "health": manifest.get("health") or {},
        "life": manifest.get("life") or {},
        "left_out": sorted((manifest.get("left_out") or {}).items()),
        "waveforms": manifest.get("waveforms") or [],
        "made_again": manifest.get("made_again") or {},
    }


def findings(manifest: Manifest) -> list[Told]:
    """What its quality report found, the heaviest first."""
    return meanings.explain(manifest.get("quality") or {}, manifest.get("warnings") or ())


def machines(manifest: Manifest) -> list[dict[str, Any]]:
    """Each machine with its rows and what is missing of it, most missing first."""
    measured: Mapping[str, Any] = (manifest.get("quality") or {}).get("machines") or {}
    rows: Mapping[str, int] = manifest.get("rows_by_machine") or {}
    told = [
        {"name": name, "rows": rows.get(name, 0)} | dict(measured.get(name) or {})
        for name in {**rows, **measured}
    ]
    return sorted(told, key=lambda each: (-float(each.get("missing", 0)), each["name"]))


def signals(manifest: Manifest) -> list[dict[str, Any]]:
    """Each signal with what its sensor did."""
    measured: Mapping[str, Any] = (manifest.get("quality") or {}).get("signals") or {}
    return [{"name": name} | dict(told) for name, told in measured.items()]


def features(manifest: Manifest, rival: Manifest | None) -> list[dict[str, Any]]:
    """Each feature with how its values lie, and how they lie in ``rival``."""
    lies: Mapping[str, Any] = manifest.get("distributions") or {}
    other: Mapping[str, Any] = (rival or {}).get("distributions") or {}
    return [
        {
            "name": each["name"],
            "unit": each.get("unit", ""),
            "lies": lies.get(each["name"]),
            "bars": bars(lies.get(each["name"])),
            "rival": other.get(each["name"]),
            "moved": _moved(lies.get(each["name"]), other.get(each["name"])),
        }
        for each in manifest.get("features") or ()
    ]


def bars(lies: Mapping[str, Any] | None) -> str:
    """A small histogram as one path: hundreds of features have thousands of bars."""
    if not lies or not any(lies["counts"]):
        return ""
    counts = lies["counts"]
    step, highest = WIDTH / len(counts), max(counts)
    wide = step * 0.86
    return "".join(
        f"M{step * place:.4g} {HEIGHT}v-{max(HEIGHT * count / highest, LOWEST):.3g}h{wide:.3g}V{HEIGHT}z"
        for place, count in enumerate(counts)
        if count
    )


def _moved(lies: Mapping[str, Any] | None, rival: Mapping[str, Any] | None) -> float | None:
    """How far the median lies from the rival's, as a share of its range; None where that is nothing."""
    if not lies or not rival:
        return None
    width = rival["high"] - rival["low"]
    return (lies["median"] - rival["median"]) / width if width > 0 else None


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
