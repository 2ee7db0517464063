"""The last resort: the hub's scoring service answers, for as long as nothing here can.

A window waits no longer than ``timeout_s``, whatever the network does: names that do not
resolve, a handshake that stalls, an answer that comes drop by drop. The question is then given
up, and never asked again for that window. The next window is refused at once while the line
is still held by the one before.
"""

import ssl
from functools import partial
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.in_time import Worker
from edge_agent.runners.runner import Matrix
from wire.errors import MessageError
from wire.manifest import Manifest
from wire.precision import Precision
from wire.scoring import LARGEST, MEDIA_TYPE, PATH, Answer, Question, refusal_of


class RemoteRunner:
    """One release, asked of the hub; of the release that it was made for, or not at all."""

    name = "remote"
    precision = Precision.FP32

    def __init__(self, manifest: Manifest, *, url: str, tls: ssl.SSLContext, timeout_s: float) -> None:
        """``url`` as https://hub:8443; ``tls`` trusts the hub alone and shows this device's certificate."""
        place = urlsplit(url)
        if place.scheme != "https" or not place.hostname:
            raise InferenceError(f"expected the scoring service as https://host:port, got {url!r}")
        self._manifest = manifest
        self._timeout_s = timeout_s
        self._line = HTTPSConnection(place.hostname, place.port, timeout=timeout_s, context=tls)
        self._worker = Worker("the hub's scoring service")

    def run(self, features: Matrix) -> Matrix:
        """[n, width] to [n, k], the manifest's outputs; ``InferenceError`` says why there are none."""
        if features.ndim != 2 or features.shape[1] != len(self._manifest.inputs):
            raise FeatureMismatchError(
                f"expected features of width {len(self._manifest.inputs)}, got {features.shape}"
            )
        return self._worker.ask(partial(self._ask, features), self._timeout_s)

    def close(self) -> None:
        """Nothing more is asked; a question under way is not waited for."""
        self._worker.end(self._line.close)

    def _ask(self, features: Matrix) -> Matrix:
        question = Question.of(self._manifest, features).to_json()
        status, body = self._sent(question)
        if status != 200:
            raise InferenceError(f"the hub's scoring service refused ({status}): {refusal_of(body)}")
        try:
            return self._outputs(Answer.from_json(body), len(features))
        except MessageError as error:
            raise InferenceError(f"the hub's scoring service sent no answer: {error}") from error

    def _sent(self, question: bytes) -> tuple[int, bytes]:
        """Over the line that is open, else a new one: an idle line may have been closed at the other end."""
        fresh = self._line.sock is None
        try:
            return self._once(question)
        except (OSError, HTTPException) as error:
            self._line.close()
            if fresh or isinstance(error, TimeoutError):
                raise InferenceError(f"the hub's scoring service cannot be asked: {error}") from error
        try:
            return self._once(question)
        except (OSError, HTTPException) as error:
            self._line.close()
            raise InferenceError(f"the hub's scoring service cannot be asked: {error}") from error

    def _once(self, question: bytes) -> tuple[int, bytes]:
        self._line.request("POST", PATH, question, {"Content-Type": MEDIA_TYPE})
        response = self._line.getresponse()
        return response.status, response.read(LARGEST)

    def _outputs(self, answer: Answer, rows: int) -> Matrix:
        """The manifest's outputs alone: the interval is this device's to add."""
        names = [output.name for output in self._manifest.outputs]
        if answer.release != self._manifest.release:
            raise MessageError(f"expected {self._manifest.release} to answer, got {answer.release}")
        if len(answer.rows) != rows or not set(names) <= set(answer.names):
            found = f"{len(answer.rows)} of {', '.join(answer.names)}"
            raise MessageError(f"expected {rows} rows of {', '.join(names)}, got {found}")
        return answer.rows[:, [answer.names.index(name) for name in names]]
