"""Which port a part listens on: the configured one, else the one it had last time, else a free one.

A free one is sought below those that systems give to outgoing connections: one of them could sit on the port
while the hub is down, and devices look for the hub where it was.
"""

import errno
import random
import socket
from contextlib import suppress
from pathlib import Path

from cloud_hub.parts.errors import PartError

LASTING = range(20_000, 32_000)
TRIES = 50

EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, never bound


def choose_port(note: Path, *, listen: str, configured: int, setting: str) -> int:
    """The port for ``listen``; ``note`` remembers it. A configured one that is taken is an error."""
    port = configured or _as_before(note, listen) or _lasting_port(listen)
    try:
        port = free_port(listen, port)
    except OSError as error:
        raise PartError(_why(error, listen, port, setting)) from error
    if not configured:
        note.write_text(str(port))
    return port


def _why(error: OSError, listen: str, port: int, setting: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another program: stop it, or set {setting} to another port"
    if error.errno == errno.EACCES:
        return f"port {port} is not for an ordinary user: set {setting} to one from 1024"
    section = setting.partition(".")[0]
    return (
        f"cannot listen on {listen!r} ({error.strerror}): set {section}.listen to an address of this machine"
    )


def free_port(listen: str, wanted: int) -> int:
    """``wanted``, or any free port for 0; OSError when somebody listens there."""
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((listen, wanted))
        return int(probe.getsockname()[1])


def _lasting_port(listen: str) -> int:
    """A free one of ``LASTING``; 0, any, where none was found."""
    for port in random.sample(LASTING, TRIES):
        with suppress(OSError):
            return free_port(listen, port)
    return 0


def _as_before(note: Path, listen: str) -> int | None:
    try:
        return free_port(listen, int(note.read_text()))
    except (OSError, ValueError):
        return None
