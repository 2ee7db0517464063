"""What the plant's page shows beside its machines: sites with their devices, and how lives went on lately."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud_hub.store.database import Database, load_queries
from cloud_hub.store.fleet import Machine

QUERIES = load_queries("cloud_hub.store", "plant.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Of its devices, those in service."""

    name: str
    zone: str  # IANA
    devices: int
    online: int
    not_enrolled: int


def sites(database: Database, *, sites: list[str] | None = None) -> list[Site]:
    """Every site, or those named, by name."""
    return [Site(**row) for row in database.rows(QUERIES["sites"], {"sites": sites})]


def trends(database: Database, machines: Sequence[Machine]) -> dict[str, list[float]]:
    """By machine the last remaining lives of its most pressing use case, oldest first; one query for all."""
    told = [each for each in machines if each.outlook is not None]
    values = {
        "machines": [each.name for each in told],
        "use_cases": [each.outlook.use_case for each in told if each.outlook is not None],
    }
    rows = database.rows(QUERIES["trends"], values) if told else []
    return {row["name"]: [life for life in row["lives"] if life is not None] for row in rows}
