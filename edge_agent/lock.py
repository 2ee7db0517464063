"""One agent a state directory: a second one would write the same sequences again.

The kernel drops the lock with its holder, however that ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_agent.errors import AlreadyRunningError, ConfigError


@contextmanager
def held(state_dir: Path) -> Iterator[None]:
    """Hold ``state_dir`` for this process, or raise ``AlreadyRunningError`` with the holder's pid."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(state_dir / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"state_dir {state_dir} cannot be used: {error}") from error
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = file.read().strip() or "unknown"
            raise AlreadyRunningError(
                f"an agent runs in {state_dir} already, as process {pid}: stop it, or use another state_dir"
            ) from error
        _sign(file.fileno())
        yield


def _sign(descriptor: int) -> None:
    """For the message above. On a full disk there is no room for it, which keeps no agent from running."""
    with suppress(OSError):
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
