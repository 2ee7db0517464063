"""What many open pages show at once: made once a look, and not sent again to a page that shows it already.

A page says by a digest what it shows; if that is still so, the hub answers that nothing
is new and draws nothing. What is drawn goes to everybody with the same rights who asks the same,
so it is drawn without knowing who asks: no name, no form, no token of a session can get into it.
"""

import hashlib
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from flask import render_template, request
from markupsafe import Markup

MOST = 200  # views of one look that are kept; whoever asks for one more waits for it alone
SHOWN = "X-Shown"  # what the page that asks shows already


class Glance:
    """One view: its values, and what its template makes of them once somebody wants to see it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._values: Mapping[str, Any] | None = None
        self._drawn: Markup | None = None
        self._digest = ""

    def values(self, make: Callable[[], tuple[Mapping[str, Any], object]]) -> Mapping[str, Any]:
        """``make`` gives the values, and of them what is seen: that is what the digest tells apart."""
        with self._turn:
            if self._values is None:
                values, seen = make()
                self._digest = hashlib.blake2b(repr(seen).encode(), digest_size=12).hexdigest()
                self._values = values
            return self._values

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def is_shown(self) -> bool:
        """Whether the page that asks shows it already."""
        return bool(self._digest) and request.headers.get(SHOWN) == self._digest

    def drawn(self, template: str) -> Markup:
        with self._turn:
            if self._drawn is None:
                nobody = {"caller": None, "csrf": ""}
                self._drawn = Markup(render_template(template, **self._values or {}, **nobody))  # noqa: S704
            return self._drawn


class Glances:
    """The views of one look, by what was asked."""

    def __init__(self) -> None:
        self._views: dict[Hashable, Glance] = {}

    def of(self, key: Hashable) -> Glance:
        if key not in self._views and len(self._views) >= MOST:
            return Glance()
        return self._views.setdefault(key, Glance())
