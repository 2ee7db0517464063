"""What a model has to show, how sure it must be, when it alarms, and who may say yes."""

from typing import Literal

from pydantic import Field

from models.declared.part import Count, Part, Positive, Share
from models.interface import AGE, MEAN


class Coverage(Part):
    """The interval around a prediction, wider or narrower by predicted life."""

    coverage: Share = 0.9
    edges: tuple[float, ...] = (0.0,)  # of predicted life, in its unit


class Gate(Part):
    """What a candidate must show on the held-out machines."""

    must_beat: tuple[Literal["mean remaining life", "remaining life by age"], ...] = Field(
        default=(MEAN, AGE), min_length=1
    )
    baseline_ratio: Positive = 0.9  # its RMSE over that of the best guess it must beat
    champion_ratio: Positive = 1.0  # its RMSE over the champion's
    least_machines: Count = 2
    latency_ms: Positive = 5.0  # of one prediction, median
    bytes: Count = 16 << 20
    rtol: Positive = 1e-3
    atol: Positive = 1e-2  # golden outputs on other hardware may differ by so much


class Alarm(Part):
    output: str
    direction: Literal["below", "above"]
    threshold: float
    clear: float
    persistence: Count = 1


class Costs(Part):
    """What happens cost, to choose alarms and count savings by."""

    currency: str
    failure: float = Field(ge=0)
    planned: float = Field(ge=0)
    false_alarm: float = Field(ge=0)


class Approval(Part):
    """How many people have to say yes, and whether whoever asked for the training may be all of them."""

    people: Count = 1
    author_may: bool = True
