"""Who is told what the recorder has written, and tells it whether that waits."""

from typing import Protocol


class Watcher(Protocol):
    """Told under the recorder's lock, so each returns at once."""

    def committed(self) -> None: ...

    def table_changed(self) -> None: ...

    def behind(self) -> bool:
        """Whether what is written now waits for older batches, or for a connection."""
