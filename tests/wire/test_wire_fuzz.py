"""The decoder is attacked for a minute: whatever comes, it is a batch or a named refusal."""

import importlib.util
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_fuzzing import check, mutated, seeds

from wire.codec import decode, encode
from wire.errors import MessageError

ROOT = Path(__file__).parents[2]
SECONDS = 30  # of fuzzing guided by coverage


@pytest.mark.parametrize("number", range(len(seeds())))
def test_what_is_made_wrong_was_right(number: int) -> None:
    check(encode(seeds()[number]))


def test_most_of_what_is_made_wrong_gets_past_the_door() -> None:
    """Else the fuzzing below would prove little: many are read, and refusals have many names."""
    names = []
    for seed in range(400):
        try:
            decode(mutated(random.Random(seed)))
            names.append("read")
        except MessageError as error:
            names.append(type(error).__name__)
    assert names.count("read") > 40
    assert {"ColumnMismatchError", "NotABatchError", "UnknownFormError", "TruncatedError"} < set(names)


@settings(max_examples=4000, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_changed_batch_is_read_or_refused_by_name(draw: random.Random) -> None:
    check(mutated(draw))


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_are_read_or_refused_by_name(payload: bytes) -> None:
    check(payload)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine"
)
def test_fuzzing_guided_by_coverage_finds_nothing_but_refusals(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, batch in enumerate(seeds()):
        (corpus / str(number)).write_bytes(encode(batch))
    command = [sys.executable, "-m", "tests.wire.wire_fuzzing", f"-max_total_time={SECONDS}", corpus]
    command += [f"-artifact_prefix={tmp_path}/", "-rss_limit_mb=2048", "-timeout=20"]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS + 120, check=False
    )
    assert result.returncode == 0, result.stderr[-4000:]
    runs = re.search(r"Done (\d+) runs", result.stderr)
    assert runs is not None
    assert int(runs[1]) > 1000
