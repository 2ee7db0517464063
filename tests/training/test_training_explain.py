"""An explanation names the signals that drove a prediction, held against answers that are known."""

import numpy as np
import pytest

from cloud_hub.training.explain import explain, sound_row
from models.examples import FAULTY, SOUND
from tests import engines

NAMES = ("flow.mean", "flow.slope", "speed.mean", "age")
WEIGHTS = np.array([2.0, -1.0, 0.5, 0.0], np.float32)
ROW = np.array([3.0, 1.0, 4.0, 9.0], np.float32)
NORMAL = np.array([1.0, 1.0, 2.0, 5.0], np.float32)


def test_a_sum_of_effects_is_told_exactly() -> None:
    found = explain(lambda rows: rows @ WEIGHTS, ROW, NORMAL, NAMES)
    assert found.effects == pytest.approx({"flow": 4.0, "speed": 1.0, "age": 0.0})
    assert list(found.effects) == ["flow", "speed", "age"]
    assert found.answer - found.sound == pytest.approx(sum(found.effects.values()))


def test_a_product_of_two_signals_is_split_between_them() -> None:
    found = explain(lambda rows: rows[:, 0] * rows[:, 2], ROW, np.zeros(4, np.float32), NAMES)
    assert found.effects == pytest.approx({"flow": 6.0, "speed": 6.0, "age": 0.0})


def test_a_signal_that_alone_explains_a_clipped_answer_is_not_lost() -> None:
    """Either of two signals alone would have brought the life down to nothing: both are named."""

    def life(rows: np.ndarray) -> np.ndarray:
        return np.clip(10 - 20 * (rows[:, 0] > 2) - 20 * (rows[:, 2] > 3), 0, 10).astype(np.float32)

    found = explain(life, ROW, NORMAL, NAMES)
    assert found.effects == pytest.approx({"flow": -5.0, "speed": -5.0, "age": 0.0})


def test_sound_rows_are_what_labels_call_sound_else_the_first_half_of_lives() -> None:
    lives = [
        np.linspace(0, value, 8 * 2 + 1, dtype=np.float32).repeat(17).reshape(17, 17) for value in (1, 3)
    ]
    examples = engines.examples_of(lives)
    early = sound_row(examples)
    assert early == pytest.approx(np.median(examples.features[examples.age <= 8], axis=0))
    examples.health[:] = FAULTY
    examples.health[3] = SOUND
    assert sound_row(examples) == pytest.approx(examples.features[3])
