"""PSI and KS say how far apart two distributions are, not how many rows were looked at."""

import numpy as np
import pytest

from cloud_hub.monitor.distances import PLACES, code, cuts_of, ks, psi


def shares(values, cuts):
    return np.stack([np.bincount(column, minlength=PLACES) / len(column) for column in code(values, cuts).T])


def drawn(rows, shift=0.0, seed=1):
    return np.random.default_rng(seed).normal(shift, 1, (rows, 1)).astype(np.float32)


@pytest.mark.parametrize("rows", [2_000, 200_000])
def test_the_distance_of_a_shift_does_not_depend_on_the_number_of_rows(rows):
    reference = drawn(50_000, seed=2)
    cuts = cuts_of(reference)
    found, expected = shares(drawn(rows, 0.5), cuts), shares(reference, cuts)
    # Of normal distributions 0.5 apart PSI is 0.25 and KS 2 Phi(0.25) - 1 = 0.197.
    assert psi(found, expected) == pytest.approx(0.25, abs=0.03)
    assert ks(found, expected) == pytest.approx(0.197, abs=0.025)


def test_the_same_rows_have_no_distance():
    cuts = cuts_of(drawn(1000))
    same = shares(drawn(1000), cuts)
    assert (psi(same, same), ks(same, same)) == (0.0, 0.0)


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_a_constant_signal_that_changes_either_way_has_moved(value):
    cuts = cuts_of(np.zeros((500, 1), np.float32))
    found = shares(np.full((500, 1), value, np.float32), cuts)
    expected = shares(np.zeros((500, 1), np.float32), cuts)
    assert ks(found, expected) == 1.0
    assert psi(found, expected) > 5
