"""Golden inputs: rows a device must answer as the hub did before it may switch. Pure.

Half of them lie where networks go wrong first, at the rim of what was seen; the
other half follow the machines from new to worn out.
"""

import numpy as np
from numpy.typing import NDArray

from models.examples import Examples

COUNT = 64

Floats = NDArray[np.float32]


def choose(examples: Examples, count: int = COUNT) -> Floats:
    """At most ``count`` rows float32 [k, width], each once, the same for the same examples."""
    features = examples.features.astype(np.float64)
    spread = features.std(axis=0)
    distance = np.abs(np.where(spread > 0, features - features.mean(axis=0), 0.0)) / np.maximum(spread, 1e-12)
    rim = np.argsort(-distance.max(axis=1), kind="stable")[: count // 2]
    left = np.where(examples.failed, examples.remaining, np.inf)
    worn_last = np.argsort(-left, kind="stable")
    even = worn_last[np.linspace(0, len(worn_last) - 1, min(count - len(rim), len(worn_last))).astype(int)]
    chosen = np.unique(np.concatenate([rim, even]))
    return np.ascontiguousarray(examples.features[chosen])
