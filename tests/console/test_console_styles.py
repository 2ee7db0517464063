"""The stylesheet reads as it is meant: a block that is left open would make the rest of it rules for phones alone."""

import re
from collections import Counter
from pathlib import Path

from cloud_hub import console

STYLES = Path(console.__file__).parent / "static" / "andon.css"
PIECE = re.compile(r"(?P<at>@[^{}]+)\{|(?P<rule>[^{}@]+\{[^{}]*\})|(?P<end>\})")


def _pieces() -> list[re.Match[str]]:
    return list(PIECE.finditer(re.sub(r"/\*.*?\*/", "", STYLES.read_text(), flags=re.S)))


def test_every_block_ends_before_the_next_begins() -> None:
    depth = 0
    for piece in _pieces():
        depth += bool(piece["at"]) - bool(piece["end"])
        assert depth in (0, 1), piece[0]
    assert depth == 0


def test_no_rule_stands_twice() -> None:
    rules = Counter[tuple[str, str]]()
    block = ""
    for piece in _pieces():
        if piece["rule"]:
            rules[block, " ".join(piece["rule"].split())] += 1
        else:
            block = piece["at"] or ""
    assert len(rules) > 300
    assert [rule for rule, times in rules.items() if times > 1] == []
