"""When a use case is trained again without anybody asking, and what happens to a candidate that passes."""

from typing import Literal

from pydantic import Field

from models.declared.part import Count, Part, Positive


class Drift(Part):
    """How far recent rows may lie from the running release's own dataset, per operating condition."""

    psi: Positive = 0.25  # population stability index of a feature or output
    ks: Positive = 0.2  # distance of Kolmogorov and Smirnov
    features: Count = 3  # that must have moved, before it counts
    days: Positive = 2.0  # of recent rows


class Retrain(Part):
    """Every trigger is off unless it is written down."""

    every_days: Positive | None = None
    failures: Count | None = None  # new ones since the last training
    verdicts: Count | None = None  # new ones since the last training
    drift: Drift | None = None
    cooldown_days: float = Field(default=1.0, ge=0)  # after a training, whatever started it
    admitted: Literal["wait", "canary"] = "wait"  # for an approver, or on to a canary by itself
