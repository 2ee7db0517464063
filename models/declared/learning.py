"""How a model is learnt: the network, what healthy means, what training may spend, who judges."""

from pydantic import Field

from models.declared.part import Count, Part, Positive, Share


class Network(Part):
    hidden: tuple[Count, ...] = (128, 64)
    dropout: Share = 0.1
    clip: Positive = 4.0  # standard deviations beyond which a feature says no more
    include: tuple[str, ...] = ("*",)  # patterns of features it may use ...
    exclude: tuple[str, ...] = ()  # ... and of those that it must not use all the same


class Anomaly(Part):
    """The distance from how these machines look early in life; 1 is the edge of healthy."""

    healthy_share: Share = 0.25  # of a life that ended in a failure, from its start
    healthy_rows: int = Field(default=0, ge=0)  # first rows of every life that count as sound, failed or not
    edge_share: Share = 0.99  # of healthy rows that lie below 1
    shrinkage: Share = 0.1
    exclude: tuple[str, ...] = ()  # patterns of features that change although nothing is wrong


class Budget(Part):
    """What training may spend, and the seed that makes it repeatable."""

    members: Count = 5  # networks, each stopped early on machines that it has not seen
    epochs: Count = 40
    patience: Count = 8
    batch: Count = 512
    learning_rate: Positive = 2e-3
    weight_decay: float = Field(default=1e-2, ge=0)
    most_rows: Count = 40_000  # longer data sets are thinned evenly
    seed: int = 1
    threads: Count = 1


class Holdout(Part):
    """Machines that training never sees: the gate's."""

    share: Share = 0.15
    least: Count = 2
