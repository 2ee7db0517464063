"""Forms are read whole before anything is done with them, and a few at once.

Whoever begins forms and never ends them, signed in or not, would hold every thread of the listener; so some
threads are for forms, few of them for one address, and pages have the others.
"""

import io

from flask import Flask, Response, make_response, request
from flask.typing import ResponseReturnValue

from cloud_hub.console.answers import problem
from cloud_hub.identity.arriving import Arriving

AT_ONCE = 32  # forms on their way; one that arrives takes milliseconds
OF_ONE = 8  # from one address
NONE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # with these comes no form


def guard(app: Flask) -> None:
    """Have the form of every request here before anything looks at it; or say that there are too many."""
    arriving = Arriving(at_once=AT_ONCE, of_one=OF_ONE)

    def read() -> ResponseReturnValue | None:
        if request.method in NONE:
            request.environ["wsgi.input"] = io.BytesIO()  # whatever comes along is for nobody
            request.environ.pop("CONTENT_LENGTH", None)
            return None
        with arriving.place(request.remote_addr or "") as there:
            if there:
                request.get_data(parse_form_data=True)
        return None if there else _too_many()

    app.before_request(read)


def _too_many() -> Response:
    sentence = "Too many forms are on their way at this moment: send it again; nothing was done."
    answer = make_response(problem("Not done", sentence, 503))
    answer.headers["Connection"] = "close"  # whatever else of it may come
    answer.headers["Retry-After"] = "5"
    return answer
