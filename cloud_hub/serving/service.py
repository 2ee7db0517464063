"""The BentoML service: questions answered by the releases on a shelf. Adaptive batching is off.

Imported after ``environment.prepare`` alone. Answering many rows takes a thread of its own,
so that lone rows, as devices ask about them, are not kept waiting by a batch.
"""

import asyncio
import json
from typing import Any

import bentoml
import psycopg
import structlog
from prometheus_client import Counter
from starlette.responses import Response

from cloud_hub.errors import HubError, NotFoundError
from cloud_hub.serving.guests import RefusedError
from cloud_hub.serving.protocol import App
from cloud_hub.serving.scorer import Scorer
from cloud_hub.serving.shelf import Shelf
from models.errors import GraphError
from wire.errors import MessageError, TooLargeError
from wire.scoring import MEDIA_TYPE, PATH, Question

NAME = "andon-scoring"
SMALL = 16 << 10  # bytes of a question that is answered at once

ROWS = Counter("andon_scoring_rows", "rows that were answered", ["release"])
REFUSED = Counter("andon_scoring_refused", "questions that were refused", ["status"])

log = structlog.get_logger()


def application(shelf: Shelf) -> App:
    """The service around ``shelf``, as an ASGI application; it asks nobody who they are."""

    @bentoml.service(name=NAME, logging={"access": {"enabled": False}})
    class Scoring:
        @bentoml.api(route=PATH, batchable=False)  # type: ignore[untyped-decorator]  # BentoML has no types
        async def score(self, ctx: bentoml.Context) -> Any:  # a response, which pydantic cannot describe
            """What is asked was read at the door: BentoML's own reading of it would follow links in it."""
            body: bytes = ctx.request.state.body
            try:
                answer = await _answered(shelf, body)
            except RefusedError as refusal:
                count_refused(refusal.status)
                ctx.response.status_code = refusal.status
                return Response(json.dumps({"error": str(refusal)}), media_type=MEDIA_TYPE)
            return Response(answer, media_type=MEDIA_TYPE)

        def __is_ready__(self) -> bool:
            return shelf.is_ready()

    made: App = Scoring.to_asgi()  # type: ignore[attr-defined]  # as above: it is a service by now
    return made


def count_refused(status: int) -> None:
    REFUSED.labels(status=status).inc()


async def _answered(shelf: Shelf, body: bytes) -> bytes:
    """The answer, JSON; ``RefusedError`` says why there is none."""
    if len(body) > SMALL:
        return await asyncio.to_thread(_scored, shelf, body)
    question = _read(body)
    scorer = shelf.ready(question.release)
    if scorer is None:
        scorer = await asyncio.to_thread(_found, shelf, question.release)
    return _asked(scorer, question)


def _scored(shelf: Shelf, body: bytes) -> bytes:
    question = _read(body)
    return _asked(_found(shelf, question.release), question)


def _read(body: bytes) -> Question:
    try:
        return Question.from_json(body)
    except TooLargeError as error:
        raise RefusedError(413, str(error)) from error
    except MessageError as error:
        raise RefusedError(400, str(error)) from error


def _found(shelf: Shelf, named: str) -> Scorer:
    scorer = shelf.ready(named)
    try:
        return scorer or shelf.find(named)
    except NotFoundError as error:
        answering = ", ".join(sorted(shelf.releases())) or "none"
        sentence = f"no release {named[:120]!r} is served here; champions that are: {answering}"
        raise RefusedError(404, sentence) from error
    except (HubError, psycopg.OperationalError) as error:
        log.error("release cannot answer", release=named[:120], reason=" ".join(str(error).split()))
        raise RefusedError(503, f"{named[:120]} cannot answer now: see the hub's log") from error


def _asked(scorer: Scorer, question: Question) -> bytes:
    release = scorer.manifest.release
    try:
        answer = scorer.answer(question)
        packed = answer.to_json()
    except MessageError as error:
        raise RefusedError(400, str(error)) from error
    except (GraphError, ValueError) as error:  # the network failed, or answered with NaN
        log.error("network failed", release=release, reason=str(error))
        raise RefusedError(500, f"{release} cannot answer these rows: see the hub's log") from error
    ROWS.labels(release=release).inc(len(answer.rows))
    return packed
