"""What every remaining-life graph agrees on with those who run it: names and operator set."""

FEATURES = "features"  # float32 [n, width]
REMAINING_LIFE = "remaining_life"  # float32 [n, 1]
ANOMALY = "anomaly"  # float32 [n, 1]
OUTPUTS = (REMAINING_LIFE, ANOMALY)
OPSET = 17
