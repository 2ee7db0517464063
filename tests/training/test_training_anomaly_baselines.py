"""The detectors of the textbook do what the textbook says, so that beating them means something."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from cloud_hub.errors import DatasetError
from cloud_hub.training.anomaly_baselines import (
    always_alarm,
    isolation_forest,
    one_signal,
    principal_components,
)


def readings(count: int, *, seed: int = 1) -> NDArray[np.float64]:
    """Two causes behind five signals of different units, and noise."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(count, 2))
    mixed = causes @ np.array([[1.0, 1.0, 0.0, 0.3, 0.0], [0.0, 0.5, 1.0, 0.0, 1.0]])
    return 5.0 + (mixed + 0.3 * rng.normal(size=(count, 5))) * np.array([1.0, 100.0, 0.01, 3.0, 1.0])


def test_few_sound_readings_lie_beyond_the_limits_of_pca() -> None:
    beyond = principal_components(readings(400), readings(20_000, seed=2)) > 1
    assert 0.0005 < beyond.mean() < 0.006  # two limits of one in a thousand, set on 400 readings


def test_pca_finds_a_shift_inside_its_plane_and_a_broken_relation_beside_it() -> None:
    sound = readings(400)
    far, broken = sound.mean(axis=0), sound.mean(axis=0)
    deviations = sound - far
    far = far + 3 * deviations[np.argmax(np.abs(deviations[:, 0]))]
    broken[0] += 3 * sound[:, 0].std()
    broken[1] -= 3 * sound[:, 1].std()
    assert (principal_components(sound, np.array([far, broken])) > 1).all()
    assert (np.abs(broken - sound.mean(axis=0)) / sound.std(axis=0)).max() <= 3.001


def test_the_limit_of_t2_is_that_of_the_f_distribution() -> None:
    sound = readings(400)
    mean, spread = sound.mean(axis=0), sound.std(axis=0)
    _, axes = np.linalg.eigh(np.cov(((sound - mean) / spread).T))
    direction = axes[:, -1]
    variance = (((sound - mean) / spread) @ direction).var(ddof=1)
    limit = 2 * 399 * 401 / (400 * 398) * stats.f.ppf(0.999, 2, 398)
    at_limit = mean + spread * direction * np.sqrt(limit * variance)
    assert principal_components(sound, at_limit[None])[0] == pytest.approx(1.0)


def test_a_constant_signal_says_nothing_to_pca() -> None:
    sound, judged = readings(400), readings(50, seed=3)
    with_constant = (np.column_stack([one, np.full(len(one), 7.0)]) for one in (sound, judged))
    np.testing.assert_allclose(principal_components(*with_constant), principal_components(sound, judged))


def test_pca_refuses_signals_that_move_as_one() -> None:
    one = np.random.default_rng(1).normal(size=(50, 1))
    with pytest.raises(DatasetError, match="components beyond the 1 that explain 85%"):
        principal_components(one, one)


def test_the_forest_cuts_off_what_lies_outside_and_its_limit_is_the_edge_of_the_sound() -> None:
    sound = readings(400)
    outside = sound.mean(axis=0) + 6 * sound.std(axis=0)
    assert isolation_forest(sound, outside[None])[0] > 1
    assert (isolation_forest(sound, sound) > 1).mean() <= 1 / 400


def test_always_alarm_is_above_any_limit() -> None:
    assert (always_alarm(readings(10), readings(3)) > 1e300).all()


def test_one_signal_is_held_against_the_share_of_sound_ones_in_either_direction() -> None:
    sound = np.linspace(-1.0, 1.0, 2001)
    assert one_signal(sound, np.array([0.5, -0.9, 1.8]), 0.9) == pytest.approx([5 / 9, 1.0, 2.0], rel=1e-3)
