"""Pictures of pages for the documents: whole pages, in few colours, so that all of them together stay small.

They are written only with ``ANDON_SCREENS=1``: a test run leaves a clean checkout clean.
"""

import io
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
COLOURS = 64


def keep(page: Any, name: str) -> None:
    """What ``page`` shows from top to bottom, as ``name``.png."""
    if not os.environ.get("ANDON_SCREENS"):
        return
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    taken = page.screenshot(full_page=True, animations="disabled", caret="hide")
    FOLDER.mkdir(exist_ok=True)
    small = image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, dither=image.Dither.NONE)
    small.save(FOLDER / f"{name}.png", optimize=True)
