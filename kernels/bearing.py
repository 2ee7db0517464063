"""Where the defects of a rolling bearing show: frequencies as multiples of the shaft's (orders).

From the geometry alone (Randall & Antoni, "Rolling element bearing diagnostics -
a tutorial", MSSP 25, 2011, eq. 1-4); slip and load move them by a percent or two.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from kernels.errors import KernelInputError

MOST_BALLS = 1000  # a slewing bearing of several metres has some hundreds
SMALLEST = 1e-3  # of the pitch diameter
ROUNDED = 1.01  # catalogues round: a bearing full of balls may seem a little too full


class Declared(Protocol):
    """What a signal table says of a machine's bearing; None for what is no finite number."""

    @property
    def balls(self) -> float | None: ...
    @property
    def ball_mm(self) -> float | None: ...
    @property
    def pitch_mm(self) -> float | None: ...
    @property
    def contact_deg(self) -> float | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """Inner race turning, outer race fixed; diameters in mm, contact angle in degrees."""

    balls: int
    ball_mm: float
    pitch_mm: float
    contact_deg: float = 0.0

    def __post_init__(self) -> None:
        if not (isinstance(self.balls, int) and 3 <= self.balls <= MOST_BALLS):
            raise KernelInputError("balls of the bearing", self.balls, f"a whole number, 3 to {MOST_BALLS}")
        if not 0 < self.pitch_mm < math.inf:
            raise KernelInputError("pitch diameter", self.pitch_mm, "a finite length above 0 mm")
        smallest, largest = SMALLEST * self.pitch_mm, math.sin(math.pi / self.balls) * self.pitch_mm
        if not smallest <= self.ball_mm <= ROUNDED * largest:
            room = f"{smallest:.3g} to {largest:.4g} mm"
            wanted = f"{room}, as {self.balls} balls fit on a pitch circle of {self.pitch_mm:g} mm"
            raise KernelInputError("ball diameter", self.ball_mm, wanted)
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


def as_declared(declared: Declared | None) -> Bearing:
    """The bearing that is declared, or a 6205 where none is; KernelInputError where there can be no such."""
    if declared is None:
        return BEARING_6205
    balls, ball_mm, pitch_mm, contact_deg = (
        math.nan if number is None else float(number)
        for number in (declared.balls, declared.ball_mm, declared.pitch_mm, declared.contact_deg)
    )
    whole = int(balls) if balls.is_integer() else balls  # one that is not whole is refused for that
    return Bearing(balls=whole, ball_mm=ball_mm, pitch_mm=pitch_mm, contact_deg=contact_deg)
