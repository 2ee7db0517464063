"""What a model has to show, how sure it must be, when it alarms, and who may say yes."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.declared.part import Count, Part, Positive, Share
from models.interface import AGE, MEAN


class Coverage(Part):
    """The interval around a prediction, wider or narrower by predicted life."""

    coverage: Share = 0.9
    edges: tuple[float, ...] = (0.0,)  # of predicted life, in its unit


class Gate(Part):
    """What a candidate must show on the held-out machines.

    Every comparison is made on draws of machines, and holds where it holds in ``confidence`` of them.
    The ratios are sizes that matter: what is smaller decides nothing, on however many machines it shows.
    """

    must_beat: tuple[Literal["mean remaining life", "remaining life by age"], ...] = Field(
        default=(MEAN, AGE), min_length=1
    )  # of the guesses of remaining life; every trivial guess of other tasks must be beaten
    baseline_ratio: Positive = 0.9  # at most, its error over that of the best guess it must beat
    champion_ratio: Positive = 1.05  # at most, its error over the champion's
    slice_ratio: Positive = 1.25  # at most, the same for a site or an operating condition
    slice_machines: Count = 5  # a slice with fewer is shown, not judged
    confidence: Share = 0.9
    least_machines: Count = 2
    most_silent: Share = 0.05  # of the rows that can tell, that may go without an answer
    most_false: Share = 0.2  # of the rows of sound machines, that an anomaly of 1 or more may be told of
    latency_ms: Positive = 5.0  # of one prediction, median
    bytes: Count = 16 << 20
    rtol: Positive = 1e-3
    atol: Positive = 1e-2  # golden outputs on other hardware may differ by so much


class Alarm(Part):
    """When predictions open an alarm and close it: as written, or chosen by what alarms and failures cost.

    ``fixed``: ``threshold``, ``clear`` and ``persistence``. ``cost``: the cheapest of ``thresholds`` x
    ``margins`` x ``persistences`` on machines that the judged networks had not learnt from.
    """

    output: str
    direction: Literal["below", "above"]
    policy: Literal["fixed", "cost"] = "fixed"
    threshold: float | None = None
    clear: float | None = None
    persistence: Count = 1
    thresholds: tuple[float, ...] = ()
    margins: tuple[float, ...] = (0.0,)  # by which ``clear`` lies on the sound side of the threshold
    persistences: tuple[Count, ...] = (1,)
    most_false_alarms: Positive | None = None  # per machine-month, with those of the alarms before it
    least_lead: Share = 0.0  # of a life, that must be left at the alarm for anybody to act on it

    @model_validator(mode="after")
    def _says_what_its_policy_needs(self) -> Self:
        told = self.model_fields_set
        fixed, chosen = {"threshold", "clear"}, {"thresholds"}
        needed, kept = (fixed, chosen) if self.policy == "fixed" else (chosen, fixed)
        grid = {"margins", "persistences", "most_false_alarms", "least_lead"}
        unfit = told & (kept | (grid if self.policy == "fixed" else {"persistence"}))
        if missing := needed - told:
            raise ValueError(f"expected {' and '.join(sorted(missing))} for the policy {self.policy!r}")
        if unfit:
            raise ValueError(f"{', '.join(sorted(unfit))} say nothing under the policy {self.policy!r}")
        if self.policy == "cost" and not (self.thresholds and self.margins and self.persistences):
            raise ValueError("expected at least one threshold, margin and persistence to choose from")
        if min(self.margins, default=0.0) < 0:
            raise ValueError("expected margins of at least 0")
        return self

    @model_validator(mode="after")
    def _clear_is_on_the_sound_side(self) -> Self:
        if self.threshold is None or self.clear is None:
            return self
        if (self.clear < self.threshold) if self.direction == "below" else (self.clear > self.threshold):
            side = "at or above" if self.direction == "below" else "at or below"
            raise ValueError(f"expected clear {side} the threshold {self.threshold:g}, got {self.clear:g}")
        return self


class Costs(Part):
    """What happens cost, to choose alarms and count savings by."""

    currency: str
    failure: float = Field(ge=0)  # one that nobody was warned of in time
    planned: float = Field(ge=0)  # the same machine renewed in time
    false_alarm: float = Field(ge=0)  # an inspection that finds nothing


class Approval(Part):
    """How many people have to say yes, and whether whoever asked for the training may be all of them."""

    people: Count = 1
    author_may: bool = True
