"""What an execution answers is held against the oracle output by output, and the worst of it is named."""

from dataclasses import replace

import numpy as np
import pytest
from compiler_networks import manifest_of

from cloud_hub.compiler.parity import compare
from models import use_case
from wire.precision import SHARES, Precision

MANIFEST = replace(manifest_of(use_case.find("turbofan-rul"), 3), rtol=0.0, atol=0.01)  # 0 to 125, 0 to 10
EXPECTED = np.array([[100.0, 1.0], [50.0, 2.0], [0.0, 3.0]], np.float32)


def off(row: int, output: int, by: float) -> np.ndarray:
    found = EXPECTED.copy()
    found[row, output] += np.float32(by)
    return found


def test_equal_answers_are_no_way_off() -> None:
    found = compare(MANIFEST, EXPECTED, EXPECTED, Precision.FP32)
    assert found.agrees
    assert [each.share for each in found.distances] == [0.0, 0.0]


def test_worst_output_is_named_with_its_row_and_both_values() -> None:
    found = compare(MANIFEST, EXPECTED, off(2, 1, 0.5), Precision.FP32)
    far = found.farthest
    assert not found.agrees
    assert (far.output, far.row, far.expected, far.found) == ("anomaly", 2, 3.0, 3.5)
    assert far.share == pytest.approx(50)
    assert found.told() == (
        "5000% of what may differ: anomaly is 3.5 where 3 is expected within 0.01, on golden input 2 of 3"
    )


@pytest.mark.parametrize("precision", Precision)
def test_each_precision_may_be_off_by_its_share_of_the_range_and_no_more(precision: Precision) -> None:
    allowed = 0.01 + SHARES[precision] * 125
    assert compare(MANIFEST, EXPECTED, off(0, 0, 0.99 * allowed), precision).agrees
    assert not compare(MANIFEST, EXPECTED, off(0, 0, 1.01 * allowed), precision).agrees


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_infinitely_far_off(strange: float) -> None:
    found = compare(MANIFEST, EXPECTED, off(1, 0, strange), Precision.INT8)
    assert not found.agrees
    assert (found.farthest.output, found.farthest.row, found.farthest.share) == ("remaining_life", 1, np.inf)
    assert found.told() == (
        f"remaining_life is {strange}, which is no number, where 50 is expected, on golden input 1 of 3"
    )


def test_where_nothing_is_tolerated_nothing_is() -> None:
    strict = replace(MANIFEST, atol=0.0)
    assert compare(strict, EXPECTED, EXPECTED, Precision.FP32).agrees
    other = compare(strict, EXPECTED, off(2, 0, 1e-6), Precision.FP32)
    assert not other.agrees
    assert other.told() == "remaining_life is 1e-06 where exactly 0 is expected, on golden input 2 of 3"
