"""Which port a part listens on: the configured one, else the one it had last time, else a free one."""

import socket
from pathlib import Path

from cloud_hub.parts.errors import PartError

EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, never bound


def choose_port(note: Path, *, listen: str, configured: int, setting: str) -> int:
    """The port for ``listen``; ``note`` remembers it. A configured one that is taken is an error."""
    if configured:
        try:
            return free_port(listen, configured)
        except OSError as error:
            raise PartError(
                f"port {configured} is in use by another program: stop it, or set {setting} to another port"
            ) from error
    port = _as_before(note, listen) or free_port(listen, 0)
    note.write_text(str(port))
    return port


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
