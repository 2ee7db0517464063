"""Golden inputs: rows a device must answer as the hub did before it may switch. Pure.

Half of them lie where executions part first: both ends of every output, the rarest groups of rows, and both
ends of every feature, the farthest out first, so that one wild sensor cannot take all the places. The other
half follow the machines from new to worn out.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.examples import Examples

COUNT = 64
RAREST = 4  # groups that are looked for

Floats = NDArray[np.float32]


def choose(
    examples: Examples,
    *,
    answers: Floats | None = None,
    groups: NDArray[np.int64] | None = None,
    count: int = COUNT,
) -> Floats:
    """At most ``count`` rows float32 [k, width], each once, the same for the same examples.

    ``answers`` [n, outputs] are what the network says of them, ``groups`` [n] what each was read under (an
    operating condition, a site), where that is known.
    """
    rim = np.array(list(_first(_tails(examples, answers, groups), count // 2)), np.intp)
    left = np.where(examples.failed, examples.remaining, np.inf)
    worn_last = np.argsort(-left, kind="stable")
    even = worn_last[np.linspace(0, len(worn_last) - 1, min(count - len(rim), len(worn_last))).astype(int)]
    chosen = np.unique(np.concatenate([rim, even]))
    return np.ascontiguousarray(examples.features[chosen])


def _first(rows: Iterator[int], count: int) -> Iterator[int]:
    """The first ``count`` of ``rows`` that were not there before."""
    seen: set[int] = set()
    for row in rows:
        if len(seen) == count:
            return
        if row not in seen:
            seen.add(row)
            yield row


def _tails(examples: Examples, answers: Floats | None, groups: NDArray[np.int64] | None) -> Iterator[int]:
    """Rows at the rim, the most telling first; some of them more than once."""
    features = examples.features
    if answers is not None:
        yield from answers.argmax(axis=0).tolist()
        yield from answers.argmin(axis=0).tolist()
    far = _distance(features)
    if groups is not None:
        names, counts = np.unique(groups, return_counts=True)
        for rare in names[np.argsort(counts, kind="stable")][:RAREST]:
            own = np.flatnonzero(groups == rare)
            yield int(own[np.abs(far[own]).max(axis=1).argmax()])
    ends = np.stack([far.argmin(axis=0), far.argmax(axis=0)])  # [2, width] rows
    reach = np.abs(np.take_along_axis(far, ends, axis=0))
    yield from ends.reshape(-1)[np.argsort(-reach.reshape(-1), kind="stable")].tolist()
    # More than the ends of all features is needed where those are few.
    yield from np.argsort(-np.abs(far).max(axis=1), kind="stable").tolist()


def _distance(features: Floats) -> NDArray[np.float64]:
    """[n, width] how far each value is from the mean of its feature, in standard deviations."""
    wide = features.astype(np.float64)
    spread = wide.std(axis=0)
    return np.asarray(np.where(spread > 0, wide - wide.mean(axis=0), 0.0) / np.maximum(spread, 1e-12))
