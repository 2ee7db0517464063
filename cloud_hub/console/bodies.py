"""Forms are read whole before anything is done with them, and a few at once.

A thread of the listener that waits for the rest of a form serves nobody, and nothing ends its wait but the
peer: granian has no limit for bodies, as it has for heads. Whoever begins forms and never ends them, signed
in or not, would hold every thread; so some threads are for forms, few of them for one address, and pages
have the others.
"""

import io
import threading
from collections import Counter

from flask import Flask, Response, make_response, request
from flask.typing import ResponseReturnValue

from cloud_hub.console.answers import problem

AT_ONCE = 32  # forms on their way; one that arrives takes milliseconds
OF_ONE = 8  # from one address
NONE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # with these comes no form


class Bodies:
    """Those on their way to one app."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._on_their_way: Counter[str] = Counter()  # by address

    def read(self) -> ResponseReturnValue | None:
        """Have the form of the request at hand here; or say that there are too many."""
        if request.method in NONE:
            request.environ["wsgi.input"] = io.BytesIO()  # whatever comes along is for nobody
            request.environ.pop("CONTENT_LENGTH", None)
            return None
        address = request.remote_addr or ""
        if not self._begins(address):
            return _too_many()
        try:
            request.get_data(parse_form_data=True)
        finally:
            self._ends(address)
        return None

    def _begins(self, address: str) -> bool:
        with self._turn:
            if self._on_their_way.total() >= AT_ONCE or self._on_their_way[address] >= OF_ONE:
                return False
            self._on_their_way[address] += 1
            return True

    def _ends(self, address: str) -> None:
        with self._turn:
            self._on_their_way[address] -= 1
            self._on_their_way += Counter()  # forgets who sends nothing


def guard(app: Flask) -> None:
    app.before_request(Bodies().read)


def _too_many() -> Response:
    sentence = "Too many forms are on their way at this moment: send it again; nothing was done."
    answer = make_response(problem("Not done", sentence, 503))
    answer.headers["Connection"] = "close"  # whatever else of it may come
    answer.headers["Retry-After"] = "5"
    return answer
