"""One declaration per operation: who may, what it takes, what it answers; checked here, told by the document.

A view takes what its path names, and where it has them a ``query`` and a ``body``; their types are
its annotations, and so is its answer's. What it returns is written as that type and no other.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, get_type_hints

from flask import Blueprint, Flask, Response
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, TypeAdapter

from cloud_hub.console.api import asked
from cloud_hub.console.api.asked import JSON, RefusedError
from cloud_hub.console.gate import Finder, needs
from cloud_hub.identity.people.permissions import Permission

ALWAYS = (400, 401, 403, 404, 405, 500, 503)  # may come of any operation
OF_ACTIONS = (409, 413, 415, 422)

pages = Blueprint("api", __name__, url_prefix="/api/v1")

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    method: str
    permission: Permission
    whoever: bool  # has been let in: no scope is asked for
    tag: str
    area: str  # what the tag stands for
    summary: str
    description: str
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    answer: TypeAdapter[Any]
    status: int
    refusals: tuple[int, ...]

    @classmethod
    def of(cls, view: Callable[..., Any], method: str, permission: Permission, **told: Any) -> "Operation":
        types = get_type_hints(view, include_extras=True)
        summary, _, more = inspect.cleandoc(view.__doc__ or "").partition("\n\n")
        if not summary:
            raise TypeError(f"{view.__name__} says nothing of what it does")
        return cls(
            method=method,
            permission=permission,
            tag=view.__module__.rpartition(".")[2],
            area=" ".join((inspect.getdoc(inspect.getmodule(view)) or "").partition("\n\n")[0].split()),
            summary=" ".join(summary.split()),
            description=" ".join(more.split()),
            query=types.get("query"),
            body=types.get("body"),
            answer=TypeAdapter(types["return"]),
            refusals=tuple(
                sorted({*ALWAYS, *(OF_ACTIONS if method == "POST" else ()), *told.pop("refusals")})
            ),
            **told,
        )


def operation(
    method: str,
    path: str,
    permission: Permission,
    *,
    of: Finder | None = None,
    status: int = 200,
    refusals: tuple[int, ...] = (),
    whoever: bool = False,
) -> Callable[[View], View]:
    """Make a view the operation ``method path``, for callers with ``permission`` at the sites of ``of``.

    Actions are for tokens alone: what a browser sends by itself, a session's cookie, starts none.
    """

    def declare(view: View) -> View:
        told = Operation.of(view, method, permission, status=status, refusals=refusals, whoever=whoever)

        @wraps(view)
        def answer(**names: Any) -> ResponseReturnValue:
            try:
                found = view(**names, **_asked(told))
            except RefusedError as error:
                return error.answer()
            return Response(told.answer.dump_json(found), told.status, content_type=JSON)

        answer.operation = told  # type: ignore[attr-defined]  # functions take attributes
        need = needs(permission, of=of, token_only=method != "GET", whoever=whoever)
        pages.add_url_rule(path, view.__name__, need(answer), methods=[method])
        return view

    return declare


def operations(app: Flask) -> Mapping[str, Operation]:
    """Every operation of ``app`` by its endpoint."""
    found = {name: getattr(view, "operation", None) for name, view in app.view_functions.items()}
    return {name: each for name, each in found.items() if each is not None}


def _asked(told: Operation) -> dict[str, BaseModel]:
    found = {"query": asked.query(told.query or asked.Query)}  # one without a query refuses whatever comes
    if told.body:
        found["body"] = asked.body(told.body)
    return {name: value for name, value in found.items() if name == "body" or told.query}
