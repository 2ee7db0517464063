"""Anything by the beginning of its name: machines, devices, sites, use cases, releases, rollouts."""

from dataclasses import dataclass

from cloud_hub.store.database import Database, load_queries

QUERIES = load_queries("cloud_hub.store", "search.sql")
MOST = 8  # of each kind
LONGEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    kind: str  # "machine", "device", "site", "use case", "release", "rollout"
    name: str
    detail: str
    gone: bool  # retired or removed: it is there to be looked at


def search(database: Database, text: str, *, sites: list[str] | None = None, most: int = MOST) -> list[Hit]:
    """What begins with ``text``, in any case: at most ``most`` of each kind, at ``sites`` (None: all)."""
    if not text or len(text) > LONGEST or "\0" in text:
        return []
    values = {"prefix": _pattern(text), "sites": sites, "most": most}
    return [Hit(**row) for row in database.rows(QUERIES["search"], values)]


def _pattern(text: str) -> str:
    """A LIKE pattern for what begins with ``text``; nothing in it is a wildcard."""
    literal = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{literal}%"
