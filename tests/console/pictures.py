"""Pictures of pages for the documents, and their index: whole pages, in few colours, so that they stay small.

They are written only with ``ANDON_SCREENS=1``: a test run leaves a clean checkout clean.
"""

import io
import os
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.console.page_list import PAGES, Page

WIDTHS = {"wide": 1440, "phone": 390}
SCHEMES = ("light", "dark")
FOLDER = Path(__file__).parents[2] / "docs" / "screens"
COLOURS = 96
TALLEST = 3600  # points of a page that are pictured
HEAD = """# The console, page by page

Debian's Chromium over a seeded plant, at one moment; on a screen of 1,440 points and on a phone of 390, light and
dark. `make screens` takes them all again: a picture is changed by a page that looks different, and by nothing else.
"""


def taking() -> bool:
    """Whether this run is one that takes pictures."""
    return bool(os.environ.get("ANDON_SCREENS"))


def names(page: Page) -> dict[str, str]:
    """Of the pictures of ``page``, by what they show."""
    looks = product(WIDTHS, SCHEMES)
    return {f"{width}, {scheme}": f"{page.name}-{width}-{scheme}.png" for width, scheme in looks}


def index() -> str:
    """What ``docs/screens/README.md`` says."""
    parts = [HEAD]
    for page in PAGES:
        first, *others = names(page).items()
        links = " · ".join(f"[{look}]({name})" for look, name in others)
        parts.append(f"## {page.caption}\n\n![{page.caption}]({first[1]})\n\n`{page.path}` · {links}\n")
    return "\n".join(parts)


def keep(page: Any, name: str) -> None:
    """What ``page`` shows from top to bottom, as ``name``.png."""
    if not taking():
        return
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    taken = page.screenshot(full_page=True, animations="disabled", caret="hide")
    FOLDER.mkdir(exist_ok=True)
    whole = image.open(io.BytesIO(taken)).convert("RGB")
    shown = whole.crop((0, 0, whole.width, min(whole.height, TALLEST)))
    _in_few_colours(image, shown).save(FOLDER / f"{name}.png", optimize=True)


def _in_few_colours(image: Any, whole: Any) -> Any:
    """The commonest colours as they are, grounds and text; and enough of the others for a dot that is green."""
    counted = sorted(whole.getcolors(whole.width * whole.height), reverse=True)
    exact = [part for _, colour in counted[: COLOURS // 2] for part in colour]
    others = whole.quantize(COLOURS // 2, method=image.Quantize.MAXCOVERAGE).getpalette()
    palette = image.new("P", (1, 1))
    palette.putpalette(exact + others[: 3 * COLOURS // 2])
    return whole.quantize(palette=palette, dither=image.Dither.NONE)
