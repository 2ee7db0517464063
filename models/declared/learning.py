"""How a model is learnt: the network, what healthy means, what training may spend, who judges."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from models.declared.part import Count, Part, Positive, Share

Units = Annotated[int, Field(ge=1, le=4096)]


class Network(Part):
    hidden: tuple[Units, ...] = Field(default=(128, 64), max_length=8)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    noise: float = Field(default=0.0, ge=0)  # on the inputs while learning, in standard deviations
    averaging: float = Field(default=0.0, ge=0, lt=1)  # of weights over steps: the share that stays at each
    huber: Positive = 0.08  # of the cap: larger errors count linearly, as few lives are far off
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)  # of fault classes
    clip: Positive = 4.0  # standard deviations beyond which a feature says no more
    include: tuple[str, ...] = ("*",)  # patterns of features it may use ...
    exclude: tuple[str, ...] = ()  # ... and of those that it must not use all the same


class Anomaly(Part):
    """The distance from how these machines look early in life; 1 is the edge of healthy."""

    healthy_share: Share = 0.25  # of a life that ended in a failure, from its start
    # First rows of every life that count as sound, failed or not; of the first where a set has an opening.
    healthy_rows: int = Field(default=0, ge=0)
    edge_share: Share = 0.99  # of healthy rows that lie below 1
    shrinkage: Share = 0.1
    exclude: tuple[str, ...] = ()  # patterns of features that change although nothing is wrong


class Try(Part):
    """Settings to try in place of those written, such as ``network.hidden = [32]``."""

    network: Mapping[str, Any] = {}
    budget: Mapping[str, Any] = {}


class Search(Part):
    """A fixed grid, begun with the settings as written; the least error on machines not learnt from wins."""

    seconds: Positive = 60.0  # none is begun that would likely end later
    tries: tuple[Try, ...] = Field(min_length=1)


class Oracle(Part):
    """Boosted trees on the same machines and features, never shipped: they tell what the features hold."""

    rounds: Count = 150
    most_rows: Count = 15_000  # thinned evenly, as are those of the network
    much_worse: Positive = 1.15  # the network's error over the trees' from which on that is said
    refuse: bool = False  # such a candidate, instead of only saying so


class Budget(Part):
    """What training may spend, and the seed that makes it repeatable."""

    members: Count = 5  # networks, each stopped early on machines that it has not seen
    folds: Count | None = Field(default=None, ge=2)  # that those machines come in; none: one a member
    epochs: Count = 40
    patience: Count = 8
    batch: Count = 512
    learning_rate: Positive = 2e-3
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Literal["one-cycle", "cosine"] = "one-cycle"  # of the learning rate
    weigh: Literal["rows", "lives"] = "rows"  # what counts the same in remaining life
    most_rows: Count = 40_000  # longer data sets are thinned evenly
    seed: int = 1
    threads: Count = 1
    search: Search | None = None
    oracle: Oracle = Oracle()

    @model_validator(mode="after")
    def _tries_are_settings(self) -> Self:
        for each in self.search.tries if self.search else ():
            Network.model_validate(dict(each.network))
            if fixed := {"seed", "threads", "search", "oracle"} & each.budget.keys():
                raise ValueError(f"search: expected settings of learning, got {', '.join(sorted(fixed))}")
            Budget.model_validate(dict(each.budget))
        return self


class Holdout(Part):
    """Machines that training never sees: the gate's."""

    share: float = Field(default=0.15, ge=0, lt=1)
    least: Count = 2
