"""Long lists a page at a time: every query is bounded, however large the plant is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from flask import request, url_for
from pydantic import Field

from cloud_hub.console.api.asked import DIGITS, Query
from cloud_hub.console.here import hub

SIZE, LARGEST = 50, 100
MOST_PAGES = 1000
MOST_COUNTED = MOST_PAGES * LARGEST  # rows; a list that is longer is told as so long

Item = TypeVar("Item")


class Paging(Query):
    page: Annotated[int, Field(ge=1, le=MOST_PAGES, description="Which page, from 1."), DIGITS] = 1
    size: Annotated[int, Field(ge=1, le=LARGEST, description="Rows of a page."), DIGITS] = SIZE

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Some of a list; ``total`` counts up to 100000 rows, ``next`` is the link to those that follow."""

    items: tuple[Item, ...]
    page: int
    size: int
    total: int
    next: str | None


def cut(query: Paging, found: Sequence[Item]) -> Page[Item]:
    """The page of a list that is at hand."""
    return told(query, found[query.offset : query.offset + query.size], len(found))


def told(query: Paging, items: Sequence[Item], total: int) -> Page[Item]:
    """A page that was looked up, of so many rows."""
    counted = min(total, MOST_COUNTED)
    follows = query.page < MOST_PAGES and query.page * query.size < counted
    return Page(
        items=tuple(items),
        page=query.page,
        size=query.size,
        total=counted,
        next=_link(query.page + 1) if follows else None,
    )


def looked_up(
    query: Paging, rows: str, values: Mapping[str, Any], make: Any, *, alike: str = ""
) -> Page[Any]:
    """The page of the query ``rows``, each row made a value by ``make``, and how many rows there are.

    The statement takes ``size`` and ``offset``; counted, it is cut at so many rows as pages can show.
    Counted are those of ``alike`` instead, where ``rows`` looks at much for each row that it tells.
    """
    database = hub().database
    page = database.rows(rows, {**values, "size": query.size, "offset": query.offset})
    counting = f"SELECT count(*) AS total FROM ({(alike or rows).rstrip().rstrip(';')}) AS every"  # noqa: S608 - our own
    if query.page == 1 and len(page) < query.size:
        return told(query, [make(row) for row in page], len(page))
    counted = database.row(counting, {**values, "size": MOST_COUNTED, "offset": 0}) or {"total": 0}
    return told(query, [make(row) for row in page], counted["total"])


def _link(page: int) -> str:
    given: dict[str, Any] = request.args.to_dict(flat=False) | {"page": [str(page)]}
    return url_for(str(request.endpoint), **(request.view_args or {}), **given)
