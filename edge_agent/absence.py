"""What a live source said while nobody listened is missed: from its newest reading to the first one after.

Times are the readings'. A clock may have been wrong: one that begins in 1970 tells nothing until it is past
the newest reading, and what one told that was ahead is the newest only until it tells another time.
"""

AHEAD_US = 300_000_000  # clocks of source and device may be this far apart


class Absence:
    """``newest_us`` is how far the readings have come; 0: there was none."""

    def __init__(self, newest_us: int) -> None:
        self.newest_us = newest_us
        self._reason = "agent-down"  # what is being missed is called; empty: nothing is

    def begin(self, reason: str) -> None:
        """One that lasts already keeps its reason."""
        self._reason = self._reason or reason

    def forget(self) -> None:
        """Nothing is missed: the source gives all of it again."""
        self._reason = ""

    def end(self, time_us: int) -> tuple[str, int, int] | None:
        """Reason, beginning and end of what was missed before a reading of ``time_us``, if it can be told."""
        if not self._reason or time_us < self.newest_us:
            return None
        reason, self._reason = self._reason, ""
        return (reason, self.newest_us, time_us) if self.newest_us else None

    def note(self, time_us: int, *, now_us: int) -> None:
        """A reading of ``time_us`` was taken, at ``now_us`` by the device's clock."""
        if time_us >= self.newest_us or (not self._reason and self.newest_us > now_us + AHEAD_US):
            self.newest_us = time_us
