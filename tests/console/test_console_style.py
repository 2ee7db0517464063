"""The style sheet is read by browsers as it was written: what a merge leaves open would hold for phones alone."""

import re
from collections import Counter
from pathlib import Path

import cloud_hub.console

SHEET = Path(cloud_hub.console.__file__).parent / "static" / "andon.css"
TOKEN = re.compile(r"/\*.*?\*/|[{};]|[^{};/]+|/", re.DOTALL)


def _rules() -> list[tuple[str, ...]]:
    """Each rule by what it stands in, outermost first, and its own head; what is left open ends the list."""
    inside: list[str] = []
    found: list[tuple[str, ...]] = []
    head = ""
    for token in TOKEN.findall(SHEET.read_text()):
        if token.startswith("/*"):
            continue
        if token == "{":
            inside.append(" ".join(head.split()))
            found.append(tuple(inside))
        elif token == "}":
            assert inside, f"one brace too many after {found[-1]}"
            inside.pop()
        head = head + token if token not in "{};" else ""
    assert not inside, f"never closed: {inside}"
    return found


def test_every_block_is_closed_and_none_stands_in_another() -> None:
    nested = [rule for rule in _rules() if len(rule) > 1 and rule[-1].startswith("@")]
    assert nested == []


def test_no_block_of_rules_stands_there_twice() -> None:
    sheet = SHEET.read_text()
    lines = Counter(line for line in sheet.splitlines() if "{" in line and not line.startswith(("@", " ")))
    assert [line for line, count in lines.items() if count > 1] == []
    heads = Counter(re.findall(r"^/\* .* \*/$", sheet, re.MULTILINE))
    assert [head for head, count in heads.items() if count > 1] == []
