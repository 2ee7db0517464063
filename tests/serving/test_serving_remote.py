"""A device that asks the hub waits no longer than it was told to, whoever is at the other end."""

import socket
import ssl
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.remote import RemoteRunner
from tests.serving.serving_world import bundle_of

ROW = np.zeros((1, 3), np.float32)
MANIFEST = bundle_of(1, life=10.0).manifest


@pytest.fixture
def silent() -> Iterator[str]:
    """A listener that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


def runner_of(url: str, timeout_s: float = 0.2) -> RemoteRunner:
    return RemoteRunner(MANIFEST, url=url, tls=ssl.create_default_context(), timeout_s=timeout_s)


def test_a_hub_that_says_nothing_costs_a_window_its_timeout_and_the_next_one_nothing(silent: str) -> None:
    runner = runner_of(silent)
    began = time.monotonic()
    with pytest.raises(InferenceError, match=r"(did not answer within 0\.2 s|timed out)"):
        runner.run(ROW)
    assert time.monotonic() - began < 1.0
    runner.close()


def test_a_question_still_under_way_refuses_the_next_at_once(silent: str) -> None:
    runner = runner_of(silent, timeout_s=0.05)
    runner._line.timeout = 5.0  # the network's own patience, longer than the window's
    with pytest.raises(InferenceError, match="did not answer within"):
        runner.run(ROW)
    began = time.monotonic()
    with pytest.raises(InferenceError, match="still owes the answer before"):
        runner.run(ROW)
    assert time.monotonic() - began < 0.04
    runner.close()


def test_a_hub_that_is_not_there_is_said_so_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    runner = runner_of(f"https://127.0.0.1:{port}", timeout_s=5.0)
    with pytest.raises(InferenceError, match=r"cannot be asked: .*refused"):
        runner.run(ROW)
    runner.close()


def test_features_of_another_width_are_not_sent(silent: str) -> None:
    runner = runner_of(silent, timeout_s=5.0)
    with pytest.raises(FeatureMismatchError, match=r"width 3, got \(1, 2\)"):
        runner.run(ROW[:, :2])
    runner.close()


@pytest.mark.parametrize("url", ["http://hub:8443", "hub:8443", "https://"])
def test_it_is_asked_over_tls_or_not_at_all(url: str) -> None:
    with pytest.raises(InferenceError, match="expected the scoring service as https"):
        runner_of(url)
