"""Names that several stages have to agree on: of graphs and their operator set, of trivial guesses."""

from typing import Final

FEATURES = "features"  # float32 [n, width]
REMAINING_LIFE = "remaining_life"  # float32 [n, 1]
ANOMALY = "anomaly"  # float32 [n, 1]
OUTPUTS = (REMAINING_LIFE, ANOMALY)
OPSET = 17

# What can be said without any sensor.
MEAN: Final = "mean remaining life"
AGE: Final = "remaining life by age"
