"""What a dataset says of itself: what was asked, what it holds, by which code, and how good it is."""

from dataclasses import asdict
from typing import Any

import numpy as np

from cloud_hub.dataset import contents
from cloud_hub.dataset.causality import Causality
from cloud_hub.dataset.demands import life_of_rows, warnings
from cloud_hub.dataset.distributions import distributions
from cloud_hub.dataset.lives import AFTER_FAILURE, AFTER_REPAIR, FIRST_SEEN
from cloud_hub.dataset.quality import Quality
from cloud_hub.dataset.reading import Found, Query
from kernels import sets
from models.examples import FAULTY, SOUND, Examples
from models.use_case import UseCase
from wire.clock import to_datetime

AGE = "counts from the first row of a life, also where that lies before the span"


def draw_up(
    found: Found, query: Query, use_case: UseCase, quality: Quality, causal: Causality, *, code: str
) -> dict[str, Any]:
    """Plain values, ready for JSON; the times are of rows, not of the snapshot."""
    examples, lives = found.examples, life_of_rows(found.examples)
    asked = asdict(query) | {"since": query.since.isoformat(), "until": query.until.isoformat()}
    rows = np.bincount(examples.machine, minlength=len(examples.machines))
    return {
        "query": asked,
        "span": [to_datetime(int(edge)).isoformat() for edge in (examples.times.min(), examples.times.max())],
        "rows_by_machine": {
            name: int(count) for name, count in zip(examples.machines, rows, strict=True) if count
        },
        "failed_lives": len(np.unique(lives[examples.failed])),
        "censored_lives": len(np.unique(lives[~examples.failed])),
        "lives_begun": _lives_begun(found),
        "age": AGE,
        "labels": found.labels,
        "health": _health(examples),
        "life": {"measured_in": use_case.life.measured_in, "unit": use_case.life.unit},
        "features": [
            {"name": name, "unit": unit} for name, unit in zip(examples.names, examples.units, strict=True)
        ],
        "waveforms": [asdict(waveform) for waveform in found.waveforms],
        "feature_set": use_case.feature_set,
        "feature_set_version": sets.VERSIONS[use_case.feature_set],
        "code": code,
        "schema": list(contents.COLUMNS),
        "left_out": found.left_out,
        "made_again": {"rows": causal.rows, "machines": causal.machines},
        "distributions": distributions(examples),
        "quality": quality.to_fields(),
        "warnings": [finding.text for finding in quality.findings] + warnings(examples, use_case),
    }


def _lives_begun(found: Found) -> dict[str, int]:
    """How many lives began in which way: of those first seen nobody knows how old they were."""
    words = {FIRST_SEEN: "first seen", AFTER_REPAIR: "after a repair", AFTER_FAILURE: "after a failure"}
    counts = dict.fromkeys(words.values(), 0)
    for judged in found.judged:
        lives = judged.lives
        for begun in lives.begun[np.unique(lives.number, return_index=True)[1]]:
            counts[words[int(begun)]] += 1
    return counts


def _health(examples: Examples) -> dict[str, Any]:
    """Rows by what labels say of them."""
    faulty = examples.fault[(examples.health == FAULTY) & (examples.fault >= 0)]
    by_fault = np.bincount(faulty, minlength=len(examples.faults))
    return {
        "sound": int((examples.health == SOUND).sum()),
        "faulty": int((examples.health == FAULTY).sum()),
        "faults": {name: int(count) for name, count in zip(examples.faults, by_fault, strict=True)},
    }
