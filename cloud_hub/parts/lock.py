"""One hub per state directory: the second one says who was first, and ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_hub.parts.errors import AlreadyRunningError


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Hold ``run/lock`` until the block ends; the kernel lets go of it however the process dies."""
    path = state_dir / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise AlreadyRunningError(
                f"a hub runs in {state_dir} already, with pid {holder}: stop it, or choose another state_dir"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)
