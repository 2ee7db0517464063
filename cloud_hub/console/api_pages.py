"""The API for people who read: every operation, drawn from the document that is served to programs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from cloud_hub.console.api.document import document
from cloud_hub.console.gate import needs
from cloud_hub.identity.people.permissions import Permission

METHODS = ("get", "post")  # in the order in which they stand
LARGEST = 2**31  # a bound that says something; beyond it is what the database counts to
_CODE = re.compile(r"`([^`]+)`")

pages = Blueprint("reference", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    place: str  # "path", "query" or "body"
    kind: str
    required: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One operation."""

    name: str
    method: str
    path: str
    summary: str
    text: str
    fields: tuple[Field, ...]
    status: str
    answer: str  # the name of what it answers


@pages.app_template_filter("coded")
def coded(text: str) -> Markup:
    """Words between backticks as code, whatever else is in ``text`` as plain text."""
    parts = _CODE.split(text.replace("``", "`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


@pages.get("/api")
@needs(Permission.SEE)
def show() -> ResponseReturnValue:
    drawn = document(current_app._get_current_object())  # type: ignore[attr-defined]  # of the proxy
    every = [
        (each["tags"][0], _told(drawn, method, path, each))
        for path, methods in drawn["paths"].items()
        for method in METHODS
        if (each := methods.get(method))
    ]
    areas = [
        (tag["name"], tag["description"], [told for name, told in every if name == tag["name"]])
        for tag in drawn["tags"]
    ]
    schemas = [(name, _schema(each)) for name, each in drawn["components"]["schemas"].items()]
    return render_template(
        "reference.html",
        about=drawn["info"]["description"].split("\n\n"),
        areas=areas,
        schemas=[each for each in schemas if each[1][1]],
        problems=[(code.replace("_", " ").lower(), each["description"]) for code, each in _problems(drawn)],
    )


def _problems(drawn: Mapping[str, Any]) -> Any:
    return drawn["components"]["responses"].items()


def _told(drawn: Mapping[str, Any], method: str, path: str, each: Mapping[str, Any]) -> Told:
    status = next(code for code in each["responses"] if code.startswith("2"))
    answer = each["responses"][status]["content"]["application/json"]["schema"]
    body = each.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return Told(
        name=each["operationId"],
        method=method.upper(),
        path=path,
        summary=each["summary"],
        text=each["description"],
        fields=(*map(_parameter, each["parameters"]), *_fields(drawn, body)),
        status=status,
        answer=_kind(answer),
    )


def _parameter(each: Mapping[str, Any]) -> Field:
    return Field(
        name=each["name"],
        place=each["in"],
        kind=_kind(each["schema"]),
        required=each["required"],
        text=each.get("description", ""),
    )


def _fields(drawn: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """Those of a body, which is always a named schema."""
    if "$ref" not in schema:
        return ()
    named = drawn["components"]["schemas"][_kind(schema)]
    return _properties(named, "body")


def _schema(each: Mapping[str, Any]) -> tuple[str, tuple[Field, ...]]:
    return " ".join(str(each.get("description", "")).split()), _properties(each, "answer")


def _properties(schema: Mapping[str, Any], place: str) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        Field(
            name=name,
            place=place,
            kind=_kind(each),
            required=name in required,
            text=each.get("description", ""),
        )
        for name, each in schema.get("properties", {}).items()
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: ``integer, 1 to 100``, ``list of AlarmTold``, ``time or null``."""
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "$ref" in schema or "const" in schema:
        return str(schema.get("$ref", schema.get("const"))).rpartition("/")[2]
    if schema.get("type") in ("array", "object"):
        return _holder(schema)
    plain = "time" if schema.get("format") == "date-time" else schema.get("type", "anything")
    return f"{plain}{_bounds(schema)}"


def _holder(schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        inner: Mapping[str, Any] = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
        return f"list of {_kind(inner)}"
    named = schema.get("additionalProperties")
    return f"{_kind(named)} by name" if isinstance(named, Mapping) else "object"


def _bounds(schema: Mapping[str, Any]) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None and abs(high) < LARGEST:
        return f", {low:.15g} to {high:.15g}"
    if "maxLength" in schema:
        return f", at most {schema['maxLength']} characters"
    return ""
