"""Names that several stages have to agree on: of graphs and their operator set, of trivial guesses."""

import re
from typing import Final

FEATURES = "features"  # float32 [n, width]
REMAINING_LIFE = "remaining_life"  # float32 [n, 1]
ANOMALY = "anomaly"  # float32 [n, 1]
FAULT = "fault_"  # float32 [n, 1] each: the probability of one class; what they leave of 1 is that of none
OPSET = 17

# What can be said without any sensor.
MEAN: Final = "mean remaining life"
AGE: Final = "remaining life by age"


def fault_output(name: str) -> str:
    """The output for the probability of the fault class ``name``: "outer race" -> "fault_outer_race"."""
    return FAULT + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
