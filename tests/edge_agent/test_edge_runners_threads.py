"""Rows on one thread while another closes, makes and proves: none is lost, and nothing closed is asked."""

import threading
import time
from random import Random

import numpy as np
from edge_runners import answers, bundle

from edge_agent.errors import InferenceError
from edge_agent.runners.chains import ChainMaker
from edge_agent.runners.in_time import InTime
from edge_agent.runners.link import Way
from edge_agent.runners.standing import Bounds
from edge_agent.updates.golden import check_golden
from wire.precision import Precision

ROW = np.array([[5, 0, 0]], np.float32)
ROUNDS, PATIENCE_S = 8, 10.0  # in which ways fail and come back
BOUNDS = Bounds(first_wait_s=0.002, longest_wait_s=0.004)


class Whimsical:
    """Fails now and then, and notices whoever comes when it is closed, or while another is inside."""

    precision = Precision.FP32

    def __init__(self, name, random, wrong):
        self.name, self._random, self._wrong = name, random, wrong
        self._inside, self.closed = threading.Lock(), 0

    def run(self, features):
        if not self._inside.acquire(blocking=False):
            self._wrong.append(f"two at once in {self.name}")
        try:
            if self.closed:
                self._wrong.append(f"{self.name} was asked after it was closed")
            if self._random.random() < 0.002:
                raise InferenceError("now and then")
            return answers(features)
        finally:
            self._inside.release()

    def close(self):
        if not self._inside.acquire(blocking=False):
            self._wrong.append(f"{self.name} was closed while somebody was inside")
        self.closed += 1


class Sound(Whimsical):
    def run(self, features):
        return answers(features)


def test_no_row_is_lost_and_nothing_closed_is_asked_while_ways_come_and_go():
    random, wrong, made, told = Random(4), [], [], []

    def make(kind, name):
        def of(_):
            made.append(kind(name, random, wrong))
            return made[-1]

        return of

    def ways(_):
        best = InTime(make(Whimsical, "best"), name="best", answer_s=5.0).make
        kinds = {"best": best, "second": make(Whimsical, "second"), "last": make(Sound, "last")}
        return [Way(name=name, precision=Precision.FP32, make=each) for name, each in kinds.items()]

    chains = ChainMaker(ways, check=check_golden, bounds=BOUNDS, tell=told.append)
    chain, over = chains(bundle()), threading.Event()

    def tend():
        while not over.is_set():
            chains.tend()
            time.sleep(0.001)

    tending = threading.Thread(target=tend)
    tending.start()
    began = time.monotonic()
    while len(made) < 3 + ROUNDS and time.monotonic() - began < PATIENCE_S:
        np.testing.assert_array_equal(chain.run(ROW), answers(ROW))
    over.set()
    tending.join()
    chain.close()
    assert wrong == []
    assert len(made) >= 3 + ROUNDS, "ways came and went"
    assert "fell-back" in {change.event for change in told}
    assert [each.closed for each in made] == [1] * len(made)
