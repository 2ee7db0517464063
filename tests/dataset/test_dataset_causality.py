"""Features that know more than their past are caught, and those that do not are left in peace."""

import numpy as np

from cloud_hub.dataset.causality import Causality, check, check_derived
from kernels import sets
from models.examples import Examples
from tests.stored_machines import SCALARS, wearing

ROWS = 60


def examples(features: list[np.ndarray], *, feature_set: str = "trend/1") -> Examples:
    made = sets.make(feature_set, scalars=[name for name, _ in SCALARS], units=dict(SCALARS))
    lengths = [len(rows) for rows in features]
    count = sum(lengths)
    return Examples(
        machines=tuple(f"pump-{number}" for number in range(len(features))),
        sites=("lyon",) * len(features),
        faults=(),
        names=made.names,
        units=made.units,
        machine=np.repeat(np.arange(len(features), dtype=np.int32), lengths),
        times=np.concatenate([np.arange(length, dtype=np.int64) for length in lengths]),
        life=np.ones(count, np.int32),
        age=np.zeros(count, np.float32),
        remaining=np.full(count, np.nan, np.float32),
        health=np.zeros(count, np.int8),
        fault=np.zeros(count, np.int16),
        features=np.concatenate(features),
    )


def made(seed: int) -> np.ndarray:
    extractor = sets.make("trend/1", scalars=[name for name, _ in SCALARS], units=dict(SCALARS))
    return extractor.batch(np.arange(ROWS), 1e3 + wearing(seed, ROWS))


def checked(features: list[np.ndarray]) -> Causality:
    return check(examples(features), "trend/1", np.random.default_rng(1))


def test_rows_that_follow_from_their_past_pass() -> None:
    found = checked([made(1), made(2)])
    assert found.leak == ""
    assert (found.machines, found.rows) == (2, 8)


def test_a_feature_set_that_peeks_at_what_comes_is_caught() -> None:
    peeking = made(1)
    place = 2  # pressure.mean10: now the mean of the readings around, not of those before
    smooth = np.convolve(peeking[:, 0], np.ones(10) / 10, mode="same")
    peeking[:, place] = smooth
    found = checked([peeking])
    assert found.leak.startswith("pressure.mean10 of pump-0 at 1970-01-01")
    assert "from its readings up to then follows" in found.leak


def test_a_feature_that_is_one_row_ahead_is_caught() -> None:
    ahead = made(1)
    ahead[:-1, 3] = ahead[1:, 3].copy()
    assert "pressure.mean30" in checked([ahead]).leak


def test_stretches_without_their_beginning_are_not_judged() -> None:
    late = made(1)[20:]
    holed = np.delete(made(2), 5, axis=0)
    found = checked([late, holed])
    assert found.leak == ""
    assert found.machines == 1  # the five rows before the hole


def readings() -> Examples:
    """What condition-trend/1 stores: the readings alone."""
    count = len(SCALARS)
    rows = [np.column_stack([1e3 + wearing(seed, ROWS), np.arange(1, ROWS + 1)]) for seed in (1, 2)]
    stored = examples([row.astype(np.float32) for row in rows], feature_set="condition-trend/1")
    assert stored.width == count + 1
    return stored


def test_what_the_hub_derives_under_conditions_is_tried_with_the_future_and_without() -> None:
    found = check(readings(), "condition-trend/1", np.random.default_rng(1))
    assert found.leak == ""
    assert found.rows == 8


def test_a_derivation_that_looks_at_all_of_a_life_is_caught() -> None:
    def centred(rows: np.ndarray) -> np.ndarray:
        return rows - rows.mean(axis=0)

    found = check_derived(readings(), centred, np.random.default_rng(1))
    assert found.leak.startswith("what is derived of pump-0 at 1970-01-01")
