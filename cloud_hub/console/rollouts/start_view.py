"""What the form of a rollout offers to choose from, and which devices of a preview a page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from flask import url_for
from werkzeug.exceptions import BadRequest

from cloud_hub.console import listing
from cloud_hub.console.models.model_view import without_sites
from cloud_hub.console.rollouts.starting import SQL, Asked
from cloud_hub.rollout.drafts import Draft
from cloud_hub.rollout.preview import Preview
from cloud_hub.rollout.selection import Candidate
from cloud_hub.store.database import Database, Row

MOST_RELEASES = 200
SIZE = 25  # devices on a page
MOST_CHOICES = 200  # of a kind; others are reached by name in a link, or at the command line
LEFT_OUT = "out"
_PAGE = ("wave", "page")  # what a link says of the list alone

_WHY_NOT = {
    "candidate": "it awaits approval",
    "approved": "it is approved, and not signed and published yet",
    "refused": "its gate refused it",
    "removed": "its files were removed: train the use case again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    name: str
    detail: str
    devices: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Of one kind; ``among``: how many there are, of which these have the most devices."""

    found: tuple[Choice, ...]
    among: int


def releases(database: Database) -> dict[str, list[Row]]:
    """Each use case with its releases, newest first; ``why``: why one cannot be rolled out."""
    found: dict[str, list[Row]] = {}
    for row in database.rows(SQL["releases"], {"most": MOST_RELEASES}):
        why = "" if row["state"] == "released" else _WHY_NOT.get(row["state"], f"it is {row['state']}")
        told = f"{why}: {without_sites(row['said'])}" if row["state"] == "refused" and row["said"] else why
        found.setdefault(row["use_case"], []).append(row | {"why": told})
    return found


def choices(database: Database, draft: Draft, sites: Sequence[str] | None) -> dict[str, Choices]:
    """By kind, of what is at ``sites``; what the draft names comes along, known or not."""
    wanted = {"sites": None if sites is None else list(sites), "most": MOST_CHOICES}
    rows: dict[str, list[Row]] = {}
    for row in database.rows(SQL["facets"], wanted):
        rows.setdefault(row["facet"], []).append(row)
    return {
        kind: _choices(rows.get(kind, []), draft.lists[kind]) for kind in ("site", "tag", "profile", "target")
    }


def _choices(rows: Sequence[Row], named: Sequence[str]) -> Choices:
    known = {row["name"] for row in rows}
    others = [Choice(name=name, detail="", devices=0, chosen=True) for name in named if name not in known]
    found = [
        Choice(name=row["name"], detail=row["detail"], devices=row["devices"], chosen=row["name"] in named)
        for row in rows
    ]
    among = rows[0]["among"] if rows else 0
    return Choices(found=(*others, *found), among=max(among, len(rows)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The devices of a preview that a page shows: of all waves, of one, or those that are left out."""

    wave: str  # "", a number or LEFT_OUT
    part: listing.Part
    devices: tuple[Candidate, ...]
    left_out: tuple[tuple[str, int], ...]  # why, and how many

    @classmethod
    def of(cls, asked: Asked, args: Mapping[str, str]) -> Self:
        ahead, wave = asked.ahead, args.get("wave", "")
        known = {str(number) for number in ahead.waves.values()}
        if wave not in {"", LEFT_OUT, *known}:
            raise BadRequest(f"Expected a wave from 1 to {len(known)}, or {LEFT_OUT}, got {wave[:20]!r}.")
        found: Sequence[Candidate] = ahead.left_out if wave == LEFT_OUT else ahead.devices
        if wave in known:
            found = [device for device in found if ahead.waves[device.id] == int(wave)]
        part = listing.Part(asked=listing.page_number(), total=len(found), size=SIZE)
        return cls(
            wave=wave,
            part=part,
            devices=tuple(found[part.offset : part.offset + part.size]),
            left_out=ahead.reasons,
        )

    @staticmethod
    def bare(args: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Of what a link carries, the plan alone."""
        return {name: values for name, values in args.items() if name not in _PAGE}

    def link(self, draft: Draft, **changes: Any) -> str:
        """This preview with another wave or page of the list."""
        told = {"wave": self.wave} | changes
        shown = {name: value for name, value in told.items() if value not in ("", None)}
        return link_of(draft, **shown)


def record_of(database: Database, release: str, sites: Sequence[str] | None) -> Row:
    """What speaks against a release: ``failed_gate``, and ``stopped`` rollouts of it that one may see."""
    found = database.row(SQL["record"], {"release": release, "sites": None if sites is None else list(sites)})
    return found or {"failed_gate": False, "stopped": []}


def taken_back(ahead: Preview) -> int:
    """How many devices run a newer release of the use case now; what a device says may be anything."""
    use_case, version = ahead.plan.use_case, _version(ahead.release)
    named = [device.runs or "" for device in ahead.devices]
    return sum(each.rpartition("/")[0] == use_case and _version(each) > version for each in named)


def _version(release: str) -> int:
    text = release.rpartition("/")[2]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def link_of(draft: Draft, **more: Any) -> str:
    """The preview of ``draft``: a link that says all of it."""
    fields: dict[str, Any] = {**draft.fields(), **more}
    return url_for("start.preview", **fields)
