"""Where the defects of a rolling bearing show: frequencies as multiples of the shaft's (orders).

From the geometry alone (Randall & Antoni, "Rolling element bearing diagnostics -
a tutorial", MSSP 25, 2011, eq. 1-4); slip and load move them by a percent or two.
"""

import math
from dataclasses import dataclass

from kernels.errors import KernelInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """Inner race turning, outer race fixed; diameters in mm, contact angle in degrees."""

    balls: int
    ball_mm: float
    pitch_mm: float
    contact_deg: float = 0.0

    def __post_init__(self) -> None:
        if not (isinstance(self.balls, int) and self.balls >= 3):
            raise KernelInputError("balls", self.balls, "a whole number of at least 3")
        if not 0 < self.ball_mm < self.pitch_mm:
            raise KernelInputError("ball diameter", self.ball_mm, f"between 0 and the pitch {self.pitch_mm}")
        if not 0 <= self.contact_deg < 90:
            raise KernelInputError("contact angle", self.contact_deg, "between 0 and 90 degrees")

    @property
    def _ratio(self) -> float:
        return self.ball_mm / self.pitch_mm * math.cos(math.radians(self.contact_deg))

    @property
    def cage(self) -> float:
        """FTF: the train of balls goes round."""
        return (1 - self._ratio) / 2

    @property
    def ball_spin(self) -> float:
        """BSF; a spall on a ball strikes both races, so impacts come at twice this."""
        return self.pitch_mm / (2 * self.ball_mm) * (1 - self._ratio**2)

    @property
    def outer_race(self) -> float:
        """BPFO: balls pass a point of the outer race."""
        return self.balls / 2 * (1 - self._ratio)

    @property
    def inner_race(self) -> float:
        """BPFI: balls pass a point of the inner race."""
        return self.balls / 2 * (1 + self._ratio)


# Drive end of the test stand of the Case Western Reserve University bearing data center.
BEARING_6205 = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)
