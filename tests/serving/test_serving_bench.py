"""The benchmark of scoring asks real services; here only a few times."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cloud_hub.serving.bench import serving
from firmware_configs import figures


def test_the_benchmark_tells_what_a_row_and_a_batch_take() -> None:
    def briefly(contenders: Mapping[str, Callable[[], Any]], *, rounds: int) -> figures.Taken:
        assert rounds > 3
        return figures.race(contenders, rounds=3)

    found = list(
        map(partial(figures.judge, quick=True, full="andon bench serving"), serving(briefly, quick=True))
    )
    assert all(each.value > 0 for each in found)
    assert {each.unit for each in found} == {"ms", "requests/s", "rows/s", "MB", "s"}
    told = {each.reference for each in found}
    assert {"the service without BentoML", "the network alone"} <= told
