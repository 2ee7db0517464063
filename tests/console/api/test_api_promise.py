"""What version 1 has promised stays: programs were written against it. More may come, nothing goes.

``v1.txt`` holds a line for everything a program can ask for, send or read. A line may be added when
something is; one that is taken out breaks somebody's program and wants ``/api/v2``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from cloud_hub.console.api.document import document

PROMISED = Path(__file__).with_name("v1.txt")
JSON = "application/json"


def promises(drawn: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in drawn["paths"].items():
        for method, told in methods.items():
            call = f"{method.upper()} {path}"
            (status,) = (code for code in told["responses"] if code.startswith("2"))
            yield f"{call} takes {told['security'][0]['token']} and answers {status}"
            for each in told["parameters"]:
                yield f"{call} ?{each['name']}: {_kind(each['schema'])}"
            sent = told.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
            yield from _fields(drawn, sent, f"{call} <-")
            answer = told["responses"][status]["content"][JSON]["schema"]
            yield from _fields(drawn, answer, f"{call} ->")


def _fields(drawn: Mapping[str, Any], schema: Mapping[str, Any], place: str) -> Iterator[str]:
    """Each field below ``schema`` with its kind, as ``-> items[].outlook.lower: number|null``."""
    for inner in schema.get("anyOf", ()):
        yield from _fields(drawn, inner, place)
    if "$ref" in schema:
        schema = drawn["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(schema.get("items"), Mapping):
        yield from _fields(drawn, schema["items"], f"{place}[]")
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from _fields(drawn, schema["additionalProperties"], f"{place}{{}}")
    for name, each in schema.get("properties", {}).items():
        yield f"{place} {name}: {_kind(each)}"
        yield from _fields(drawn, each, f"{place} {name}")


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return "|".join(sorted(map(_kind, schema["anyOf"])))
    return str(schema.get("format", schema.get("type", "object")))


def test_nothing_that_version_1_promised_is_gone(app: Flask) -> None:
    told = set(promises(document(app)))
    promised = set(PROMISED.read_text().splitlines())
    assert len(promised) > 500
    assert not promised - told, "\n".join(sorted(promised - told))


def test_every_promise_is_written_down(app: Flask) -> None:
    """What is new since is added to the file as it is: then it is a promise."""
    told = set(promises(document(app)))
    fresh = told - set(PROMISED.read_text().splitlines())
    assert not fresh, "\n".join(sorted(fresh))
