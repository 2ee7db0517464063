"""What a server may do to those who fetch from it, each as a wrapper of an honest WSGI application."""

import threading
from contextlib import closing


def only(part, lie):
    """``lie`` where the path contains ``part``, the truth elsewhere."""

    def wrap(honest):
        lying = lie(honest)

        def app(environ, start_response):
            return (lying if part in environ["PATH_INFO"] else honest)(environ, start_response)

        return app

    return wrap


def _whole(honest, environ, start_response):
    with closing(honest(environ, start_response)) as pieces:
        return b"".join(pieces)


def dripping(pause_s):
    """One byte at a time."""

    def wrap(honest):
        def app(environ, start_response):
            for byte in _whole(honest, environ, start_response):
                threading.Event().wait(pause_s)
                yield bytes([byte])

        return app

    return wrap


def silent(seconds):
    """The beginning, and then nothing for a while."""

    def wrap(honest):
        def app(environ, start_response):
            content = _whole(honest, environ, start_response)
            yield content[:10]
            threading.Event().wait(seconds)

        return app

    return wrap


def endless(honest):
    """What is asked for, and more, and more."""

    def app(environ, start_response):
        content = _whole(honest, environ, lambda *_: None)
        start_response("200 OK", [])
        yield content
        while True:
            yield bytes(1 << 16)

    return app


def breaking_off(after):
    """The connection ends in mid-file."""

    def wrap(honest):
        def app(environ, start_response):
            yield _whole(honest, environ, start_response)[:after]

        return app

    return wrap


def without_ranges(honest):
    """As a simple host: always the whole file."""

    def app(environ, start_response):
        environ.pop("HTTP_RANGE", None)
        return honest(environ, start_response)

    return app


def wrong_ranges(honest):
    """Another stretch than the one asked for."""

    def app(environ, start_response):
        if "HTTP_RANGE" in environ:
            environ["HTTP_RANGE"] = "bytes=1-"
        return honest(environ, start_response)

    return app


class Counting:
    """Honest, and remembers what was asked."""

    def __init__(self, honest):
        self.honest = honest
        self.asked = []

    def __call__(self, environ, start_response):
        self.asked.append((environ["PATH_INFO"], environ.get("HTTP_RANGE", "")))
        return self.honest(environ, start_response)
