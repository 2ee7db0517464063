"""Where an agent keeps the machine code of its kernels, so that a restart computes at once.

Beside the sources where this account may write: whatever runs on this host shares it. A daemon mostly may
not; then in its own state directory, which no other account writes to.
"""

import os
from pathlib import Path

CHOSEN = "NUMBA_CACHE_DIR"  # an operator's own choice


def keep_in(state_dir: Path) -> None:
    """Before anything else of ``kernels`` is imported."""
    from kernels import machine_code  # noqa: PLC0415 - half a second of numeric libraries

    sources = Path(machine_code.__file__).parent
    if needs_own(chosen=os.environ.get(CHOSEN, ""), shared=os.access(sources, os.W_OK)):
        machine_code.keep_in(state_dir)


def needs_own(*, chosen: str, shared: bool) -> bool:
    """Whether there is no better place than the state directory."""
    return not chosen and not shared
