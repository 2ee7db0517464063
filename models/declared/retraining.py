"""When a use case is trained again without anybody asking, and what happens to a candidate that passes."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.declared.part import Count, Part, Positive, Share

Wave = Annotated[str, Field(pattern=r"^([1-9][0-9]*|[0-9]+(\.[0-9]+)?%)$")]  # devices, or a share of them


class Drift(Part):
    """How far recent rows may lie from the running release's own dataset, per operating condition.

    These are sizes of an effect; beyond them a difference must be larger than any between as
    many machines of the dataset and the rest of it.
    """

    psi: Positive = 0.25  # population stability index of a feature or output
    ks: Positive = 0.2  # distance of Kolmogorov and Smirnov
    features: Count = 3  # that must have moved, before it counts
    unknown: Share = 0.2  # of rows under conditions that the dataset does not know
    days: Positive = 2.0  # of recent rows
    machines: Count = 3  # with rows under a condition, before it is judged
    # That it has to last, before it is trained for. The first failures after a change are of machines that
    # were nearly worn out: who learns from them alone learns that the new condition kills. Once it has
    # lasted, rows since it was seen and those of the ``days`` before are learnt from alone; with 0, all are.
    lasting_days: float = Field(default=0.0, ge=0)


class Canary(Part):
    """How a release that nobody approved reaches the fleet: see `andon rollout start`."""

    waves: tuple[Wave, ...] = Field(default=("1", "25%", "100%"), min_length=1)
    soak_hours: float = Field(default=24.0, ge=0)
    approve_before: tuple[Count, ...] = ()  # waves that a person lets open

    @model_validator(mode="after")
    def _waves_reach_further_and_all(self) -> Self:
        shares = [float(wave[:-1]) for wave in self.waves if wave.endswith("%")]
        counts = [float(wave) for wave in self.waves if not wave.endswith("%")]
        growing = all(earlier < later for own in (shares, counts) for earlier, later in pairwise(own))
        if not growing or min(shares, default=1) <= 0 or max(shares, default=0) > 100:
            raise ValueError(
                f"expected waves that grow, of more than 0 % and at most 100 %, got {[*self.waves]}"
            )
        if self.waves[-1].endswith("%") and shares[-1] < 100:
            raise ValueError(
                f"expected a last wave of 100 %, got {self.waves[-1]}: no rollout leaves devices out"
            )
        if max(self.approve_before, default=0) > len(self.waves):
            raise ValueError(
                f"expected approve_before out of the {len(self.waves)} waves, got {[*self.approve_before]}"
            )
        return self


class Retrain(Part):
    """Every trigger is off unless it is written down."""

    every_days: Positive | None = None  # since the last training
    failures: Count | None = None  # that the last training did not know
    verdicts: Count | None = None  # that the last training did not know
    drift: Drift | None = None
    # After any training; twice as long after each that has not led to a new champion, up to 32 times.
    cooldown_days: float = Field(default=1.0, ge=0)
    admitted: Literal["wait", "canary"] = "wait"  # for an approver, or on to a canary by itself
    canary: Canary = Canary()

    @property
    def goes_on(self) -> bool:
        """Whether anything can start a training."""
        return any((self.every_days, self.failures, self.verdicts, self.drift))
