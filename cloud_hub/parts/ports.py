"""Which port a part listens on: the configured one, else the one it had last time, else a free one."""

import errno
import socket
from pathlib import Path

from cloud_hub.parts.errors import PartError

EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, never bound


def choose_port(note: Path, *, listen: str, configured: int, setting: str) -> int:
    """The port for ``listen``; ``note`` remembers it. A configured one that is taken is an error."""
    port = configured or _as_before(note, listen) or 0
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


def _as_before(note: Path, listen: str) -> int | None:
    try:
        return free_port(listen, int(note.read_text()))
    except (OSError, ValueError):
        return None
