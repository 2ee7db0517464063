"""Facts counted in the database itself: what the demo and the tests hold against the truth.

Counting reads every row it counts, so nothing here belongs on a page.
"""

from dataclasses import dataclass

from cloud_hub.store.database import Database, load_queries

QUERIES = load_queries("cloud_hub.store", "facts.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Counts by name; every count is of what is committed now."""

    samples_by_device: dict[str, int]
    samples_by_machine: dict[str, int]
    features_by_machine: dict[str, int]
    predictions_by_release: dict[str, int]
    batches: dict[str, int]  # settled sequences by device
    resent: dict[str, int]  # batches that came again and were discarded, by device
    quarantined: dict[str, int]  # still in quarantine, by reason
    missing: dict[str, int]  # sequences covered by a gap, by its reason


def facts(database: Database) -> Facts:
    """Count everything once."""
    return Facts(
        samples_by_device=_counts(database, "samples_by_device", "device"),
        samples_by_machine=_counts(database, "samples_by_machine", "machine"),
        features_by_machine=_counts(database, "features_by_machine", "machine"),
        predictions_by_release=_counts(database, "predictions_by_release", "release"),
        batches=_counts(database, "batches", "device"),
        resent=_counts(database, "resent", "device"),
        quarantined=_counts(database, "quarantined", "reason"),
        missing=_counts(database, "missing", "reason"),
    )


def _counts(database: Database, query: str, key: str) -> dict[str, int]:
    return {row[key]: row["count"] for row in database.rows(QUERIES[query])}
