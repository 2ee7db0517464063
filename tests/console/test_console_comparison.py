"""Which of two versions is better is never said more surely than draws of the machines allow."""

import pytest

from cloud_hub.console.models.comparison import figures, verdict
from cloud_hub.training.comparing import Comparison
from cloud_hub.training.pairing import pair_losses
from cloud_hub.training.scorecard import Measure

MEASURE = Measure(name="error", unit="1")


def compared(own: list[float], other: list[float]) -> Comparison:
    losses = [{f"m{number}": loss for number, loss in enumerate(side)} for side in (own, other)]
    return Comparison(
        releases=("u/2", "u/1"),
        figure="error",
        unit="1",
        pairing=pair_losses(MEASURE, *losses),
        losses={name: (losses[0][name], losses[1][name]) for name in losses[0]},
        beside={"coverage": (0.9, None), "bytes": (2_000_000, 1000)},
        alarms={},
        slices={"site lyon": (1.0, 2.0, 1), "site tours": (3.0, 4.0, 2)},
    )


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        ([0.1, 0.11, 0.1, 0.12], [0.4, 0.45, 0.41, 0.47], "u/2 is better than u/1 on the 4 machines"),
        ([0.4, 0.45, 0.41, 0.47], [0.1, 0.11, 0.1, 0.12], "u/1 is better than u/2 on the 4 machines"),
        (
            [0.1, 0.4, 0.2, 0.3],
            [0.2, 0.3, 0.3, 0.25],
            "The difference is within noise: u/2 has the lower error",
        ),
        ([0.1, 0.2], [0.11, 0.19], "Both are equally good"),
        ([0.1], [0.9], "Only one machine was judged by both"),
        ([0.0, 0.0], [0.0, 0.0], "Both are equally good"),
    ],
)
def test_a_verdict_is_as_sure_as_its_machines(own: list[float], other: list[float], said: str) -> None:
    assert verdict(compared(own, other)).startswith(said)


def test_figures_of_hidden_slices_are_left_out_and_what_one_lacks_is_said() -> None:
    told = {line.name: (line.left, line.right) for line in figures(compared([1, 2], [3, 4]), ["site tours"])}
    assert told == {
        "error": ("1.5", "3.5"),
        "site lyon": ("1", "2"),
        "truths inside the interval": ("90 %", "–"),
        "size of the network": ("2 MB", "1 kB"),
    }
