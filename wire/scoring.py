"""What is asked of a scoring service, and what it answers: JSON, one object each way.

A question names every input with its unit, so that rows whose columns were swapped,
or are of another feature set, are refused and never scored. An answer names the
release that gave it. Numbers are float32, written so that they come back as they were.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from wire.errors import MessageError, TooLargeError
from wire.manifest import Manifest

MOST_ROWS = 2000
LARGEST = 8 << 20  # bytes of a question
PATH = "/score"
MEDIA_TYPE = "application/json"

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """``rows`` float32 [n, width]; ``release`` is "<use case>/<version>", or a use case: its champion."""

    release: str
    names: tuple[str, ...]
    units: tuple[str, ...]  # UCUM, one a name
    rows: Matrix

    @classmethod
    def of(cls, manifest: Manifest, rows: Matrix) -> Self:
        """Ask the release of ``manifest`` about ``rows``, whose columns are its inputs."""
        names, units = zip(*((each.name, each.unit) for each in manifest.inputs), strict=True)
        return cls(release=manifest.release, names=names, units=units, rows=rows)

    def to_json(self) -> bytes:
        return _packed(self, {"release": self.release})

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        """``MessageError`` names what is missing or wrong; numbers must be finite."""
        fields = _fields(payload)
        names, units = _texts(fields, "names"), _texts(fields, "units")
        if len(units) != len(names):
            raise MessageError(f"expected a unit for each of {len(names)} names, got {len(units)}")
        rows = _rows(fields, width=len(names))
        return cls(release=_text(fields, "release"), names=names, units=units, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """``rows`` float32 [n, k]: the outputs, with lower and upper behind the one that an interval bounds."""

    release: str  # that answered
    names: tuple[str, ...]
    units: tuple[str, ...]
    coverage: float | None  # of the interval; None: there is none
    rows: Matrix

    def to_json(self) -> bytes:
        return _packed(self, {"release": self.release, "coverage": self.coverage})

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        fields = _fields(payload)
        names, coverage = _texts(fields, "names"), fields.get("coverage")
        if not (coverage is None or isinstance(coverage, float)):
            raise MessageError("expected coverage as a share or null, got something else")
        return cls(
            release=_text(fields, "release"),
            names=names,
            units=_texts(fields, "units"),
            coverage=coverage,
            rows=_rows(fields, width=len(names)),
        )


def refusal_of(payload: bytes) -> str:
    """The sentence in a refusal, ``{"error": ...}``; without one, that there is none."""
    try:
        return _text(_fields(payload), "error")
    except MessageError:
        return "no reason given"


def check_inputs(question: Question, manifest: Manifest) -> None:
    """``MessageError`` where the columns of ``question`` are not the inputs of ``manifest``, in its order."""
    if len(question.names) != len(manifest.inputs):
        raise MessageError(
            f"{manifest.release}: expected {len(manifest.inputs)} inputs, got {len(question.names)}"
        )
    for place, (wanted, name, unit) in enumerate(
        zip(manifest.inputs, question.names, question.units, strict=True), 1
    ):
        if (name, unit) != (wanted.name, wanted.unit):
            raise MessageError(
                f"{manifest.release}: expected input {place} to be {wanted.name!r} in {wanted.unit!r}, "
                f"got {name[:64]!r} in {unit[:32]!r}"
            )


def _packed(message: Question | Answer, more: Mapping[str, Any]) -> bytes:
    plain = {**more, "names": message.names, "units": message.units, "rows": message.rows.tolist()}
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise MessageError("expected a JSON object, got something else") from error
    if not isinstance(fields, dict):
        raise MessageError(f"expected a JSON object, got {type(fields).__name__}")
    return fields


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise MessageError(f"expected {name} as text, got {type(value).__name__}")
    return value


def _texts(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise MessageError(f"expected {name} as a list of texts, got something else")
    return tuple(value)


def _rows(fields: Mapping[str, Any], *, width: int) -> Matrix:
    """The rows [n, width] with 1 to ``MOST_ROWS`` of them, each number finite as float32."""
    given = fields.get("rows")
    if not isinstance(given, list) or not given:
        raise MessageError("expected rows as a list of at least one row, got none")
    if len(given) > MOST_ROWS:
        raise TooLargeError(f"expected at most {MOST_ROWS} rows, got {len(given)}: ask in parts")
    for place, row in enumerate(given, 1):
        if not isinstance(row, list) or len(row) != width:
            found = len(row) if isinstance(row, list) else type(row).__name__
            raise MessageError(f"expected {width} numbers in row {place}, got {found}")
    return _finite(_numbers(given), given)


def _numbers(given: list[Any]) -> npt.NDArray[Any]:
    try:
        numbers = np.array(given)
    except ValueError as error:
        raise MessageError("expected numbers in rows, got something else") from error
    if numbers.ndim != 2 or numbers.dtype.kind not in "fiu":
        raise MessageError("expected numbers in rows, got something else")
    return numbers


def _finite(numbers: npt.NDArray[Any], given: list[Any]) -> Matrix:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        rows = numbers.astype(np.float32)
    if not np.isfinite(rows).all():
        row, column = map(int, np.argwhere(~np.isfinite(rows))[0])
        raise MessageError(
            f"expected finite float32 numbers, got {given[row][column]} in row {row + 1}, column {column + 1}"
        )
    return rows
