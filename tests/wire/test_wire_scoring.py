"""Questions and answers of the scoring service come back as they were, and say what is wrong with them."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wire.errors import MessageError
from wire.scoring import Answer, Question, refusal_of

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
ANSWER: dict[str, Any] = {
    "release": "pump/1",
    "names": ["life"],
    "units": ["h"],
    "coverage": 0.9,
    "rows": [[1.0]],
}


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=FINITE))
def test_numbers_come_back_as_they_were(rows: Any) -> None:
    names = tuple(f"input-{place}" for place in range(rows.shape[1]))
    asked = Question(release="pump/1", names=names, units=("1",) * len(names), rows=rows)
    found = Question.from_json(asked.to_json())
    assert (found.release, found.names, found.units) == ("pump/1", names, asked.units)
    assert found.rows.dtype == np.float32
    assert found.rows.tobytes() == rows.tobytes()


@given(st.recursive(st.none() | st.booleans() | FINITE | st.text(), st.lists, max_leaves=8))
def test_whatever_rows_are_said_to_be_only_a_named_error_comes_of_it(rows: Any) -> None:
    payload = json.dumps({"release": "pump/1", "names": ["life"], "units": ["h"], "rows": rows}).encode()
    with suppress(MessageError):
        assert Question.from_json(payload).rows.shape[1] == 1


@pytest.mark.parametrize("coverage", [None, 0.9])
def test_an_answer_says_what_its_interval_covers(coverage: float | None) -> None:
    answer = Answer.from_json(json.dumps(ANSWER | {"coverage": coverage}).encode())
    assert answer.coverage == coverage


@pytest.mark.parametrize("field", ["release", "names", "units", "rows"])
def test_an_answer_without_a_field_is_none(field: str) -> None:
    with pytest.raises(MessageError, match=f"expected {field}"):
        Answer.from_json(json.dumps(ANSWER | {field: None}).encode())


def test_a_refusal_is_its_sentence_whatever_came() -> None:
    assert refusal_of(b'{"error": "too many rows"}') == "too many rows"
    assert refusal_of(b"<html>502</html>") == "no reason given"
