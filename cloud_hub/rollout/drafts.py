"""A plan as somebody writes it, field by field, in texts: what it means, and each field's fault. Pure.

For forms, links and programs. Every field is looked at, so that one look names every fault; a text
that was not written means what ``andon rollout start`` does without it. A draft that is written out
and read again is the same draft.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

from cloud_hub.rollout.arguments import approvals, share
from cloud_hub.rollout.plan import Late, Plan, PlanError, Selector, Silent, Wave, parse_windows

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "release": "",
        "waves": "1, 50%, 100%",
        "soak": "0",
        "tolerate": "0%",
        "succeed": "",
        "timeout": "24",
        "at_once": "",
        "windows": "",
        "approve": "",
        "four_eyes": "",
        "silent": Silent.FAIL.value,
        "late": Late.JOIN.value,
        "supersede": "",
    }
)
# The lists of a selector, by the name of one entry.
LISTS: Mapping[str, str] = MappingProxyType(
    {"site": "sites", "tag": "tags", "profile": "profiles", "target": "targets", "device": "devices"}
)
LONGEST_TEXT = 500
LONGEST_NAME = 100
MOST_NAMES = 200  # of a list
MOST_WAVES = 50
YES = "yes"

_BETWEEN = re.compile(r"[\s,;]+")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a draft means: a plan, or what is wrong by the field."""

    plan: Plan | None
    faults: Mapping[str, str]  # by field of ``DEFAULTS`` or ``LISTS``; empty where there is a plan
    supersede: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    texts: Mapping[str, str]  # every field of ``DEFAULTS``
    lists: Mapping[str, tuple[str, ...]]  # every one of ``LISTS``

    @classmethod
    def of(cls, fields: Mapping[str, Sequence[str]]) -> Self:
        """What a form or a link carries, each field with its values; others are left alone."""
        texts = {name: fields[name][0].strip() if fields.get(name) else DEFAULTS[name] for name in DEFAULTS}
        lists = {name: _names(name, fields.get(name, ())) for name in LISTS}
        return cls(texts=texts, lists=lists)

    def fields(self) -> dict[str, list[str]]:
        """What a link has to carry: all that differs from what is meant anyway."""
        told = {name: [text] for name, text in self.texts.items() if text != DEFAULTS[name]}
        return told | {name: list(names) for name, names in self.lists.items() if names}

    def within(self, sites: Sequence[str] | None) -> "Draft":
        """The same for somebody who may mean ``sites`` (None: all): to name no site means all of these."""
        if sites is None or self.lists["site"]:
            return self
        return replace(self, lists={**self.lists, "site": tuple(sites)})

    def read(self) -> Read:
        faults = _lengths(self)
        reading = _Reading(texts=self.texts, faults=faults)
        values = reading.values()
        plan = _joined(self, values, faults)
        return Read(plan=None if faults else plan, faults=faults, supersede=self.texts["supersede"] == YES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """Each text by itself."""

    texts: Mapping[str, str]
    faults: dict[str, str]
    found: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        self._one("waves", "waves", _waves)
        self._one("tolerate", "tolerated", _share)
        self._one("succeed", "succeed", lambda text: _share(text) if text else None)
        self._one("soak", "soak_hours", _hours)
        self._one("timeout", "timeout_hours", _hours)
        self._one("at_once", "at_once", lambda text: _count(text) if text else None)
        self._one("windows", "windows", _windows)
        self._one("silent", "silent", lambda text: Silent(_choice(text, list(Silent))))
        self._one("late", "late", lambda text: Late(_choice(text, list(Late))))
        if "waves" in self.found:
            self._one("approve", "approve_before", lambda text: _approvals(text, len(self.found["waves"])))
        self._one("four_eyes", "four_eyes", lambda text: _choice(text, [YES, ""]) == YES)
        self._one("supersede", "", lambda text: _choice(text, [YES, ""]))
        return self.found

    def _one(self, name: str, part: str, parse: Callable[[str], Any]) -> None:
        if name in self.faults:
            return
        try:
            value = parse(self.texts[name])
        except PlanError as error:
            self.faults[name] = _sentence(error)
        else:
            if part:
                self.found[part] = value


def _joined(draft: Draft, values: Mapping[str, Any], faults: dict[str, str]) -> Plan:
    """The parts together, one more at a time, so that what contradicts the ones before is named."""
    release = draft.texts["release"]
    if "release" not in faults and not re.fullmatch(r"[^\s/]+/[0-9]{1,9}", release):
        faults["release"] = (
            f"Expected a release such as motor-health/3, got {release!r}." if release else "Choose a release."
        )
    named = "x/1" if "release" in faults else release
    lists = {LISTS[name]: names for name, names in draft.lists.items()}
    plan = Plan(
        release=named,
        use_case=named.rpartition("/")[0],
        waves=(Wave.parse("100%"),),
        selector=Selector(**lists),
    )
    order = (
        "waves",
        "tolerated",
        "succeed",
        "soak_hours",
        "timeout_hours",
        "at_once",
        "windows",
        "silent",
        "late",
    )
    for part in (*order, "approve_before", "four_eyes"):
        if part in values:
            try:
                plan = replace(plan, **{part: values[part]})
            except PlanError as error:
                faults.setdefault(_FIELD.get(part, part), _sentence(error))
    return plan


_FIELD = {
    "tolerated": "tolerate",
    "soak_hours": "soak",
    "timeout_hours": "timeout",
    "approve_before": "approve",
}


def _names(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """Names once each, in order; devices may come many in one text, as somebody pastes them."""
    parts = [
        each for value in values for each in (_BETWEEN.split(value) if name == "device" else [value.strip()])
    ]
    return tuple(dict.fromkeys(each for each in parts if each))


def _lengths(draft: Draft) -> dict[str, str]:
    """Faults of what is too long to mean anything, or what no database can keep."""
    faults = {
        name: f"Expected at most {LONGEST_TEXT} characters, got {len(text)}."
        for name, text in draft.texts.items()
        if len(text) > LONGEST_TEXT
    }
    for name, names in draft.lists.items():
        if len(names) > MOST_NAMES:
            faults[name] = (
                f"Expected at most {MOST_NAMES} names, got {len(names)}: choose them by site or tag."
            )
        elif (longest := max(map(len, names), default=0)) > LONGEST_NAME:
            faults[name] = f"Expected names of at most {LONGEST_NAME} characters, got one of {longest}."
    for name, told in {**{name: (text,) for name, text in draft.texts.items()}, **draft.lists}.items():
        if not all(map(_is_text, told)):
            faults[name] = "Expected text, got what is none."
    return faults


def _is_text(text: str) -> bool:
    """Whether it can be kept: JSON and links can name NUL, and halves of characters."""
    return "\0" not in text and text == text.encode(errors="replace").decode()


def _waves(text: str) -> tuple[Wave, ...]:
    parts = [part for part in _BETWEEN.split(re.sub(r"\s+%", "%", text)) if part]
    if not parts:
        raise PlanError("name at least one wave, such as 100%")
    if len(parts) > MOST_WAVES:
        raise PlanError(f"expected at most {MOST_WAVES} waves, got {len(parts)}")
    return tuple(map(Wave.parse, parts))


def _share(text: str) -> float:
    """As ``0.05``, ``5%`` or, as many write it, ``5 %``."""
    found = share("".join(text.split()))
    if not math.isfinite(found):
        raise PlanError(f"expected a share such as 5%, got {text!r}")
    return found


def _hours(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise PlanError(f"expected hours as a number such as 24 or 0.5, got {text!r}")
    return float(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise PlanError(f"expected a whole number, got {text!r}")
    return int(text)


def _windows(text: str) -> Any:
    """One a line, or with semicolons between, for each holds commas of its own."""
    return parse_windows([part.strip() for part in re.split(r"[\n;]", text) if part.strip()])


def _approvals(text: str, waves: int) -> tuple[int, ...]:
    return approvals([part[:20] for part in _BETWEEN.split(text) if part], waves)


def _choice(text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise PlanError(f"expected {' or '.join(filter(None, choices))}, got {text!r}")
    return text


def _sentence(error: PlanError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
