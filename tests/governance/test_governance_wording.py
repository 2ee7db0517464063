"""Acts in words: every one that the code records has some, and one that is new is told by its name."""

import re
from pathlib import Path

import pytest

from cloud_hub.governance import wording

ROOT = Path(__file__).parent.parent.parent / "cloud_hub"
RECORDED = re.compile(r'action=f?"([a-z][a-z_.{}-]+)"|(?:record|_note|_record)\([^"\n]*"([a-z]+\.[a-z.-]+)"')


def recorded() -> set[str]:
    """The actions that stand in the code; what is put together there is left out."""
    found = set()
    for module in ROOT.rglob("*.py"):
        found |= {one or other for one, other in RECORDED.findall(module.read_text())}
    return {action for action in found if "{" not in action}


def test_every_act_that_is_recorded_has_words() -> None:
    found = recorded()
    assert len(found) > 30, "the acts are recorded in another way now"
    assert found - wording.WORDS.keys() == set()


@pytest.mark.parametrize(
    "act", ["approve", "pause", "resume", "abort", "undo", "supersede", "widen", "await", "halt", "done"]
)
def test_every_act_and_verdict_of_a_rollout_has_words(act: str) -> None:
    assert f"rollout.{act}" in wording.WORDS


def test_a_sentence_has_a_place_for_its_subject_or_none() -> None:
    assert wording.told("rollout.done") == ("ended ", ": done")
    assert wording.told("hub.restored") == ("restored the hub from a backup", "")
    assert not wording.names_subject("hub.restored")
    assert wording.told("moon.land") == ("did moon.land to ", "")
    assert wording.names_subject("moon.land")
    assert (wording.kind("label.failure"), wording.kind("keys.rotate")) == ("machine", "")
