"""When enough people have said yes to a release. Pure.

A person counts once, however often they say it. Whoever asked for the training may be
kept from being the only one; a policy is nobody, and suffices alone only where a use
case asks for a single voice and would take its author's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.declared.judging import Approval

POLICY = "policy:"  # begins the name of an actor that is no person, such as "policy:retrain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    enough: bool
    voices: tuple[str, ...]  # who has said yes, each once, in order
    missing: str = ""  # what it still takes, as a sentence


def standing(said: Sequence[str], author: str, rule: Approval) -> Standing:
    """Where a release stands that ``said`` have approved and ``author`` had trained."""
    voices = tuple(dict.fromkeys(said))
    people = [voice for voice in voices if not voice.startswith(POLICY)]
    alone = len(voices) > len(people) and rule.people == 1 and rule.author_may
    if len(people) < rule.people and not alone:
        lacking = rule.people - len(people)
        return Standing(
            enough=False,
            voices=voices,
            missing=f"{lacking} more {'person has' if lacking == 1 else 'people have'} to approve it "
            f"({len(people)} of {rule.people})",
        )
    if not rule.author_may and not {*people} - {author}:
        missing = f"{author} asked for the training and may not approve it alone: another person has to"
        return Standing(enough=False, voices=voices, missing=missing)
    return Standing(enough=True, voices=voices)
