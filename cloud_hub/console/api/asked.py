"""What a request asks: its query and its body, each field checked by the type that the document shows.

Nothing is guessed and nothing passed over: a field that is not known, comes twice or is not as
declared is refused by its name, with what was expected and what came.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, get_origin

from flask import request
from flask.typing import ResponseReturnValue
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
)

JSON = "application/json"
LONGEST_GOT = 40
MOST_FIELDS = 50  # that are named to whoever sends thousands of wrong ones
PLAIN = r"^[^\x00]*$"  # the database keeps no NUL

Text = Annotated[str, StringConstraints(max_length=100, pattern=PLAIN)]
Note = Annotated[str, StringConstraints(max_length=500, pattern=PLAIN)]


def _in_utc(value: datetime) -> datetime:
    """A moment that UTC names: at the ends of the calendar an offset leads to years that there are none."""
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a moment of the years 1 to 9999 in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def _written(value: object) -> object:
    """A moment in a link is written out: digits alone could be seconds, or a year."""
    if isinstance(value, str) and not re.match("[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", value):
        raise ValueError("a moment such as 2026-11-27T03:10:00Z")
    return value


WrittenMoment = Annotated[AwareDatetime, BeforeValidator(_written)]


class Query(BaseModel):
    """Of a link; values are text until they are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(BaseModel):
    """Of an action: JSON, whose types are not bent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Nothing(Body):
    """An empty object: the action has nothing to say."""


Asked = TypeVar("Asked", bound=BaseModel)

NO_FIELD = "no such field"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What is wrong with one field; places in lists count from 0, as ``waves.0``."""

    field: str
    expected: str
    got: str

    def told(self) -> str:
        if self.expected == NO_FIELD:
            return f"there is no field {self.field} here"
        return f"expected {self.expected} as {self.field}, got {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why nothing was done: one sentence, and where fields were to blame, each of them."""

    error: str
    fields: tuple[Field, ...] = ()


class RefusedError(Exception):
    """What was sent is not as declared."""

    def __init__(self, status: int, sentence: str, fields: Sequence[Field] = ()) -> None:
        super().__init__(sentence)
        self.status, self.fields = status, tuple(fields)

    @classmethod
    def of(cls, fields: Sequence[Field], status: int) -> "RefusedError":
        told = "; ".join(each.told() for each in fields[:3])
        return cls(status, f"{told[:1].upper()}{told[1:]}.", fields)

    def answer(self) -> ResponseReturnValue:
        told: dict[str, Any] = {"error": str(self)}
        if self.fields:
            told["fields"] = [
                {"field": each.field, "expected": each.expected, "got": each.got} for each in self.fields
            ]
        return told, self.status


def refused(field: str, expected: str, got: object) -> RefusedError:
    """For what only the view can tell of a field of a body."""
    return RefusedError.of([Field(field=field, expected=expected, got=_got(got))], 422)


def _whole(value: object) -> object:
    """A number in a link is digits and nothing else."""
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,9}", value):
        raise ValueError("a whole number")
    return int(value) if isinstance(value, str) else value


DIGITS = BeforeValidator(_whole)  # the last of a number's annotations, which the document shows


def query(model: type[Asked]) -> Asked:
    """The query of the request at hand; ``RefusedError`` (400) says what is wrong with it."""
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is tuple}
    given = request.args.to_dict(flat=False)
    twice = [name for name, values in given.items() if len(values) > 1 and name not in lists]
    if twice:
        fields = [
            Field(field=name, expected="one value", got=f"{len(given[name])} of them") for name in twice
        ]
        raise RefusedError.of(fields, 400)
    values = {name: found if name in lists else found[0] for name, found in given.items()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RefusedError.of(_fields(error), 400) from error


def body(model: type[Asked]) -> Asked:
    """The body of the request at hand: 415 for what is no JSON, 400 where it cannot be read, else 422."""
    if request.mimetype != JSON:
        raise RefusedError(415, f"Expected a body of type {JSON}, got {_got(request.mimetype)}.")
    text = request.get_data(cache=False)
    _check_json(text)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise RefusedError.of(_fields(error), 422) from error


def _check_json(text: bytes) -> None:
    """Refuse what readers of JSON differ about: names that come twice, NaN, other encodings."""
    try:
        json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except RefusedError:
        raise
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RefusedError(400, f"Expected a body of JSON, got something else: {why[:100]}.") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise RefusedError.of([Field(field=twice[:LONGEST_GOT], expected="one value", got="two")], 422)
    return found


def _no_constant(name: str) -> None:
    raise RefusedError(400, f"Expected a body of JSON, which has no number {name}.")


_WORDS = {
    "missing": "a value",
    "extra_forbidden": NO_FIELD,
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
_SHOULD = re.compile(r"^.*? should (?:be|have|match) ")


def _fields(error: ValidationError) -> list[Field]:
    return [
        Field(
            field=".".join(map(str, each["loc"])) or "body",
            expected=_expected(each),
            got="nothing" if each["type"] == "missing" else _got(each["input"]),
        )
        for each in error.errors(include_url=False)[:MOST_FIELDS]
    ]


def _expected(error: Mapping[str, Any]) -> str:
    if error["type"] in _WORDS:
        return _WORDS[error["type"]].format(**error.get("ctx", {}))
    if error["type"] == "string_pattern_mismatch":
        return (
            "text without NUL" if error["ctx"]["pattern"] == PLAIN else f"text like {error['ctx']['pattern']}"
        )
    return _SHOULD.sub("", str(error["msg"]).removeprefix("Value error, ")).removeprefix("Expected ")


def _got(value: object) -> str:
    """Short, and plain text whatever it is."""
    told = repr(value)
    return told if len(told) <= LONGEST_GOT else f"{told[:LONGEST_GOT]}…"
