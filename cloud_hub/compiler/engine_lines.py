"""An engine as facts for a program and as lines for a person. Pure."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cloud_hub.compiler.engines import Compiled
from cloud_hub.compiler.parity import Distance
from wire.engine import EngineKey, EngineManifest

NOT_HEARD = "the CPU, as no GPU of the target is here: every device compares the engine itself"


def facts(compiled: Compiled) -> dict[str, Any]:
    """Plain values of an engine that was built; None for what is no number."""
    return _of(compiled.engine.manifest) | {
        "agrees": compiled.comparison.agrees,
        "told": compiled.comparison.told(),
        "outputs": [_plain(each) for each in compiled.comparison.distances],
        "latency_ms": compiled.latency_ms,
        "build_s": compiled.seconds,
        "bytes": len(compiled.engine.plan),
    }


def kept(manifest: EngineManifest) -> dict[str, Any]:
    """Plain values of an engine that was built and compared before."""
    told = f"built on {manifest.built}, {manifest.worst:.0%} of what may differ"
    return _of(manifest) | {"agrees": True, "told": told}


def failed(key: EngineKey, reason: str) -> dict[str, Any]:
    """Plain values of an engine that could not be built."""
    return asdict(key) | {"engine": key.name, "agrees": False, "told": reason, "compared_on": ""}


def lines(row: Mapping[str, Any]) -> list[str]:
    """What a row of the above says, and where the engine is, for a terminal."""
    verdict = "agrees" if row["agrees"] else "NOT KEPT"
    said = [
        f"{row['target']} {row['precision']}, {row['runtime']} {row['runtime_version']}",
        f"  {verdict}: {row['told']}",
    ]
    if "outputs" in row:
        said += [
            f"  compared on {row['compared_on'] or NOT_HEARD}",
            *(_line(each) for each in row["outputs"]),
            f"  one row takes {row['latency_ms']:.3f} ms there (median)",
            f"  built in {row['build_s']:.2f} s: {row['bytes']} bytes",
        ]
    said += [f"  {row['path']}: SHA-256 {row['sha256']}"] if "path" in row else []
    return [*said, f"  signed as {row['published']}"] if "published" in row else said


def _of(manifest: EngineManifest) -> dict[str, Any]:
    key = manifest.key
    return asdict(key) | {"engine": key.name, "compared_on": manifest.compared_on}


def _plain(distance: Distance) -> dict[str, Any]:
    values = asdict(distance)
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def _line(each: Mapping[str, Any]) -> str:
    if each["share"] is None:
        return f"    {each['output']}: no number, on golden input {each['row']}"
    unit = "" if each["unit"] == "1" else f" {each['unit'].strip('{}')}"
    off = abs(each["found"] - each["expected"])
    return f"    {each['output']}: at worst {off:.3g}{unit} off, {each['share']:.0%} of {each['allowed']:.3g}"
