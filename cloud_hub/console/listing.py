"""A long list as pages of a fixed size: which rows are on one, and links that keep what was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import g, request, url_for
from werkzeug.exceptions import BadRequest

SIZE = 50
LONGEST_TEXT = 100
MOST_PAGES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One page of a list; asked for one behind the last, it is the last."""

    asked: int
    total: int
    size: int = SIZE

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def number(self) -> int:
        return min(self.asked, self.pages)

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.offset + self.size, self.total)


def page_number() -> int:
    """The page that a link asks for, from 1."""
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= MOST_PAGES and len(text) < 8):
        raise BadRequest(f"Expected a page number from 1 on, got {text[:40]!r}.")
    return int(text)


def asked(names: tuple[str, ...], choices: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """What a link filters by, of ``names``; a value that is no choice, or too long, is refused in words."""
    found = {name: " ".join(request.args.get(name, "").split()) for name in names}
    for name, text in found.items():
        if len(text) > LONGEST_TEXT or "\0" in text:
            raise BadRequest(f"Expected at most {LONGEST_TEXT} characters as {name}, got {len(text)}.")
        if text and name in choices and text not in choices[name]:
            raise BadRequest(f"Expected one of {', '.join(choices[name])} as {name}, got {text!r}.")
    g.asked = found
    return found


def link(**changes: object) -> str:
    """This page with other filters; what was ``asked`` and is not named stays, and the list begins again."""
    told = {name: value for name, value in (g.asked | changes).items() if value not in ("", None)}
    return url_for(str(request.endpoint), **{**(request.view_args or {}), **told})
