"""What ingest counts can be asked for, on loopback and nowhere else."""

from collections import Counter
from urllib.request import urlopen

import pytest

from cloud_hub.ingest.group import Outcome
from cloud_hub.ingest.metrics import LOOPBACK, Metrics


@pytest.fixture
def metrics():
    made = Metrics()
    made.watch(lambda: 4096, lambda: 3)
    return made


def asked(port: int) -> dict[str, float]:
    with urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def test_what_was_stored_and_refused_is_counted(metrics: Metrics) -> None:
    rejected = Counter({("press-01", "NotFinite"): 2, ("press-02", "NotFinite"): 1})
    metrics.note(Outcome(told={}, samples=900, again=1, rejected=rejected), batches=5, seconds=0.02)
    metrics.note(Outcome(told={}, samples=100, captures=2), batches=1, seconds=0.2)
    server = metrics.serve(0)
    found = asked(server.server_port)
    server.shutdown()
    server.server_close()
    assert (found["andon_ingest_samples_total"], found["andon_ingest_captures_total"]) == (1000, 2)
    assert found['andon_ingest_batches_total{came="new"}'] == 5
    assert found['andon_ingest_batches_total{came="again"}'] == 1
    assert found['andon_ingest_rejected_total{reason="NotFinite"}'] == 3
    assert found['andon_ingest_transaction_seconds_bucket{le="0.05"}'] == 1
    assert (found["andon_ingest_held_bytes"], found["andon_ingest_let_go"]) == (4096, 3)


def test_a_second_process_takes_the_next_port(metrics: Metrics) -> None:
    first = metrics.serve(0)
    second = Metrics().serve(first.server_port)
    assert second.server_port > first.server_port
    assert "andon_ingest_samples_total" in asked(second.server_port)
    for server in (first, second):
        server.shutdown()
        server.server_close()
