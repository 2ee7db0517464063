"""A folder in memory for a server whose files nobody needs afterwards.

A test run makes and drops thousands of databases, of a thousand files each, and ext4 looks at every inode that was
freed in the last minutes before it makes a file: on a disk that costs more than all the rest of a test.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_hub.parts.places import in_use

MEMORY = Path("/dev/shm")
ENOUGH = 4 << 30  # bytes free; a run's servers take about 1 GB


@contextmanager
def folder(otherwise: Path) -> Iterator[Path]:
    """One that goes with the session; ``otherwise``, where there is not enough memory for it."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ENOUGH:
        yield otherwise
        return
    _sweep()
    made = Path(tempfile.mkdtemp(prefix=f"andon-{os.getpid()}-", dir=MEMORY))
    made.chmod(0o755)  # the server's account goes through it
    yield made
    shutil.rmtree(made, ignore_errors=True)


def _sweep() -> None:
    """What runs left that were killed."""
    for left in MEMORY.glob("andon-*-*"):
        if not Path("/proc", left.name.split("-")[1]).exists() and not in_use(left):
            shutil.rmtree(left, ignore_errors=True)
