"""The champion: the release of the newest rollout that ended well. The gate holds candidates against it."""

from cloud_hub.store.database import Connection, load_queries

SQL = load_queries("cloud_hub.flows")


def set_champion(connection: Connection, use_case: str, release: str | None) -> None:
    """Make ``release`` the champion of ``use_case``; None: it has none any more."""
    query = SQL["crown"] if release else SQL["uncrown"]
    connection.execute(query, {"use_case": use_case, "release": release})
