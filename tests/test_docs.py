"""What the documents say is tested is tested: a test that they name is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`(test_\w+)(\.py|…)?`")


@pytest.fixture(scope="module")
def there() -> set[str]:
    """The names of all tests, and of the modules that hold them."""
    found = set()
    for module in (ROOT / "tests").rglob("test_*.py"):
        found.add(module.stem)
        tree = ast.parse(module.read_text())
        found |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return found


def test_every_test_that_a_document_names_is_there(there: set[str]) -> None:
    named = {
        (name, more)
        for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for name, more in NAMED.findall(document.read_text())
    }
    assert len(named) > 40, "the table of attacks in security.md names no tests any more"
    missing = {
        name
        for name, more in named
        if name not in there and not (more == "…" and any(each.startswith(name) for each in there))
    }
    assert not missing
