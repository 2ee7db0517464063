"""The OpenAPI 3.1 document of the operations there are: drawn from their declarations, never by hand."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, current_app
from pydantic import BaseModel, TypeAdapter
from werkzeug.routing import IntegerConverter, Rule

from cloud_hub.console.api.asked import JSON, Problem
from cloud_hub.console.api.operation import OF_ACTIONS, Operation, operation, operations
from cloud_hub.identity.people.permissions import FLEET_WIDE, Permission

VERSION = "1.0"
TITLES = {  # of the areas, each a module, in the order in which people ask
    "plant": "Plant",
    "machines": "Machines",
    "charts": "Charts",
    "captured": "Captures",
    "saying": "Verdicts and labels",
    "devices": "Devices",
    "enrolling": "Enrolling and retiring",
    "releases": "Models",
    "deciding": "Approval and what-if",
    "rollouts": "Rollouts",
    "steering": "Starting and steering",
    "data": "Data",
    "quarantined": "Quarantine",
    "work": "Jobs and trainings",
    "decisions": "Audit",
    "caller": "Who asks",
    "document": "Document",
}
ABOUT = """Everything the console shows and does.

Times are ISO 8601 with an offset (UTC), but for charts. What a device or a person chose as text is untrusted.
Lists come a page at a time: follow `next` until it is null. What is at a site that the caller may not see
answers 404, as if it were not there. An action is carried out once: repeated, it changes nothing and says so
(409, or `changed: false`). A token speaks for its person, and may do what its scopes and that person's roles
both allow; actions take a token, a session does none. People, accounts and keys are managed in the console
and at the hub's terminal, never by token."""
WHY = {
    400: "The link cannot be understood, or the body is no JSON.",
    401: "No token came, or one that is not in force.",
    403: "The token's scopes, or its person's roles at the sites concerned, do not allow it.",
    404: "There is no such thing, or none that the caller may see.",
    405: "The address knows other methods.",
    409: "It contradicts what is already so; nothing was changed.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not sent as application/json.",
    422: "A field of the body is not as declared; each is named.",
    500: "A mistake of the hub's own; the reason is in its log.",
    503: "A part of the hub does not answer.",
}
_CONVERTED = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_REF = "#/components/schemas/"


@operation("GET", "/openapi.json", Permission.SEE)
def openapi() -> dict[str, Any]:
    """This document."""
    return document(current_app._get_current_object())  # type: ignore[attr-defined]  # of the proxy


def document(app: Flask) -> dict[str, Any]:
    """What there is, made once for each app."""
    found: dict[str, Any] | None = app.extensions.get("openapi")
    if found is None:
        found = app.extensions["openapi"] = _draw(app)
    return found


def _draw(app: Flask) -> dict[str, Any]:
    known = operations(app)
    rules = sorted(
        (rule for rule in app.url_map.iter_rules() if rule.endpoint in known), key=lambda rule: rule.rule
    )
    schemas, parts = _schemas(known)
    paths: dict[str, dict[str, Any]] = {}
    for rule in rules:
        told = known[rule.endpoint]
        drawn = _operation(rule, told, schemas, parts)
        paths.setdefault(_CONVERTED.sub(r"{\1}", rule.rule), {})[told.method.lower()] = drawn
    for each in known.values():
        if each.query:
            parts.pop(each.query.__name__, None)  # told as parameters
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Andon",
            "version": VERSION,
            "description": ABOUT.replace("\n", " ").replace("  ", "\n\n"),
        },
        "tags": _tags(known),
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(parts.items())),
            "responses": {HTTPStatus(code).name: _problem(code, text) for code, text in WHY.items()},
            "securitySchemes": {"token": _scheme()},
        },
    }


def _tags(known: Mapping[str, Operation]) -> list[dict[str, str]]:
    """An area is a module, and says of itself what it is."""
    areas = {each.tag: each.area.replace("``", "`") for each in known.values()}
    return [{"name": TITLES[name], "description": areas[name]} for name in TITLES if name in areas]


def _schemas(known: Mapping[str, Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """By endpoint and part the schema of each, and those that they refer to by name."""
    wanted: list[tuple[Any, Any, TypeAdapter[Any]]] = [("problem", "serialization", TypeAdapter(Problem))]
    for each in known.values():
        wanted.append((id(each.answer), "serialization", each.answer))
        models = (each.query, each.body)
        wanted += [(model, "validation", TypeAdapter(model)) for model in models if model is not None]
    schemas, parts = TypeAdapter.json_schemas(wanted, ref_template=_REF + "{model}")
    return {key: schema for (key, _), schema in schemas.items()}, parts.get("$defs", {})


def _operation(
    rule: Rule, told: Operation, schemas: Mapping[Any, Any], parts: Mapping[str, Any]
) -> dict[str, Any]:
    answer = {"description": HTTPStatus(told.status).phrase, "content": _content(schemas[id(told.answer)])}
    refusals = {
        str(code): {"$ref": f"#/components/responses/{HTTPStatus(code).name}"} for code in told.refusals
    }
    drawn: dict[str, Any] = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "tags": [TITLES[told.tag]],
        "summary": told.summary.rstrip("."),
        "description": " ".join(filter(None, (told.description, _takes(told)))).replace("``", "`"),
        "security": [{"token": [] if told.whoever else [str(told.permission)]}],
        "parameters": [*_path(rule), *_query(told.query, parts)],
        "responses": {str(told.status): answer, **refusals},
    }
    if told.body:
        drawn["requestBody"] = {"required": True, "content": _content(schemas[told.body])}
    return drawn


def _takes(told: Operation) -> str:
    if told.whoever:
        return "Takes a token or session, whatever it may do."
    where = ", held at every site" if told.permission in FLEET_WIDE else ""
    return f"Takes {told.permission}{where}."


def _path(rule: Rule) -> Iterable[dict[str, Any]]:
    for name in sorted(rule.arguments, key=rule.rule.index):
        converter = rule._converters[name]
        schema: dict[str, Any] = {"type": "string", "minLength": 1, "pattern": r"^[^\x00/]+$"}
        if isinstance(converter, IntegerConverter):
            schema = {"type": "integer", "minimum": converter.min, "maximum": converter.max}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query(model: type[BaseModel] | None, parts: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    if model is None:
        return
    schema = parts[model.__name__]
    for name, told in schema["properties"].items():
        shown = _without_null(told)
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": shown,
        } | ({"description": told["description"]} if "description" in told else {})


def _without_null(told: Mapping[str, Any]) -> dict[str, Any]:
    """A link leaves out what has no value: it cannot say null."""
    shown = {key: value for key, value in told.items() if key not in ("title", "description")}
    if "anyOf" in shown:
        (only,) = (each for each in shown["anyOf"] if each != {"type": "null"})
        return dict(only)
    return shown


def _content(schema: Any) -> dict[str, Any]:
    return {JSON: {"schema": schema}}


def _problem(code: int, text: str) -> dict[str, Any]:
    drawn: dict[str, Any] = {"description": text, "content": _content({"$ref": f"{_REF}Problem"})}
    if code == HTTPStatus.UNAUTHORIZED:
        drawn["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}}
    if code == HTTPStatus.METHOD_NOT_ALLOWED:
        drawn["headers"] = {"Allow": {"required": True, "schema": {"type": "string"}}}
    return drawn


def _scheme() -> dict[str, str]:
    told = "Make one under Account in the console, or by `andon hub person token`."
    return {"type": "http", "scheme": "bearer", "description": told}


assert {*OF_ACTIONS} <= WHY.keys()
