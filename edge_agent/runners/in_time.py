"""Answers in time, or none: no row waits for ever because a GPU's library does not come back.

What may hang is called on a thread of its own, and whoever asked goes on when his time is over. The thread is
left where it is, for nothing ends a call into a driver; while it owes an answer it is asked nothing more and
nothing is made anew in its place, so a GPU that hangs costs one row its patience and one thread its memory.
Handing a row over and back takes some 20 to 50 microseconds; the CPU's way needs no such guard.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from edge_agent.errors import InferenceError
from edge_agent.runners.runner import Matrix, Runner
from wire.bundle import Bundle

MAKING_S = 120.0  # to load an engine, and for the first answer of each shape: kernels may be compiled for it
CLOSING_S = 1.0

Given = TypeVar("Given")
Task = tuple[Callable[[], Any], "Future[Any]"]


class LateError(InferenceError):
    """There was no answer in time; there may be one yet."""


class Worker:
    """A thread that does one task after the other; to be asked by one thread at a time."""

    def __init__(self, name: str) -> None:
        """``name`` says whose answers these are."""
        self._name = name
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._last: Future[Any] | None = None
        threading.Thread(target=self._work, name=f"{name}, in time", daemon=True).start()

    @property
    def owes(self) -> bool:
        return self._last is not None and not self._last.done()

    def ask(self, task: Callable[[], Given], timeout_s: float) -> Given:
        """What ``task`` returns or raises; ``LateError`` where that takes too long, at once while it owes."""
        if self.owes:
            raise LateError(f"{self._name} still owes the answer before")
        answer: Future[Given] = Future()
        self._last = answer
        self._tasks.put((task, answer))
        try:
            return answer.result(timeout_s)
        except TimeoutError as error:
            if answer.done():  # the task's own, or it came this very moment
                return answer.result()
            raise LateError(f"{self._name} did not answer within {timeout_s:g} s") from error

    def end(self, task: Callable[[], object] = lambda: None) -> None:
        """Do ``task`` last, after what it owes, and end; waits for that where nothing is owed."""
        ended, owed = Future[Any](), self.owes
        self._tasks.put((task, ended))
        self._tasks.put(None)
        if not owed:
            with suppress(Exception):
                ended.result(CLOSING_S)

    def _work(self) -> None:
        while (given := self._tasks.get()) is not None:
            task, answer = given
            try:
                answer.set_result(task())
            except BaseException as error:  # whoever waits must hear of it, or he waits in vain
                answer.set_exception(error)
            del task, answer, given  # what they hold of a GPU goes when its owner gives it up


class InTime:
    """Makes the runners that ``make`` makes, each asked and closed on a thread of its own."""

    def __init__(self, make: Callable[[Bundle], Runner], *, name: str, answer_s: float) -> None:
        """``answer_s``: what a row may wait."""
        self._make = make
        self._name = name
        self._answer_s = answer_s
        self._worker: Worker | None = None  # of the newest runner

    def make(self, bundle: Bundle) -> Runner:
        """Raises what ``make`` raises; ``LateError`` also while the runner before is still at a row."""
        if self._worker is not None and self._worker.owes:
            raise LateError(f"{self._name} still owes the answer before")
        worker, made = Worker(self._name), list[Runner]()
        self._worker = worker
        try:
            worker.ask(lambda: made.append(self._make(bundle)), MAKING_S)
        except BaseException:
            worker.end(partial(_close, made))  # also one that comes too late
            raise
        return _Answering(made[0], worker, self._answer_s)


class _Answering:
    def __init__(self, runner: Runner, worker: Worker, answer_s: float) -> None:
        self.name, self.precision = runner.name, runner.precision
        self._runner = runner
        self._worker = worker
        self._answer_s = answer_s
        self._known: set[int] = set()  # numbers of rows that it has answered

    def run(self, features: Matrix) -> Matrix:
        rows = len(features)
        timeout_s = self._answer_s if rows in self._known else MAKING_S
        outputs = self._worker.ask(partial(self._runner.run, features), timeout_s)
        self._known.add(rows)
        return outputs

    def close(self) -> None:
        self._worker.end(self._runner.close)


def _close(made: list[Runner]) -> None:
    for runner in made:
        runner.close()
