"""Restoring hypertables: TimescaleDB wants its own version, a mode of its own and a superuser.

Its catalogue is restored as rows of its tables, which it allows to nobody else. What
the superuser restored then goes to the owner of the database, who is the hub's user.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from cloud_hub.backup.making import SQL
from cloud_hub.errors import BackupError
from cloud_hub.store.database import Connection, Database


@contextmanager
def restoring(conninfo: str, version: str) -> Iterator[None]:
    """Until the block ends the database takes a dump of TimescaleDB ``version``; then its owner owns it."""
    with Database(conninfo).connect() as connection:
        _check_superuser(connection)
        _make(connection, version)
    with Database(conninfo).connect() as connection:
        connection.execute("SELECT timescaledb_pre_restore()")
    try:
        yield
    finally:
        with Database(conninfo).connect() as connection:
            connection.execute("SELECT timescaledb_post_restore()")
    with Database(conninfo).connect() as connection:
        _hand_over(connection)


def _check_superuser(connection: Connection) -> None:
    row = connection.execute(SQL["superuser"]).fetchone()
    if row is None or not row["yes"]:
        raise BackupError(
            "the backup holds TimescaleDB's tables, which only a superuser can restore: name one in "
            "database_url for the restore; all goes to the database's owner, who can be named again after"
        )


def _make(connection: Connection, version: str) -> None:
    make = sql.SQL("CREATE EXTENSION IF NOT EXISTS timescaledb VERSION {}").format(sql.Literal(version))
    try:
        connection.execute(make)
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise BackupError(
            f"the backup needs TimescaleDB {version}, to be updated after the restore: {reason}"
        ) from error


def _hand_over(connection: Connection) -> None:
    owner = connection.execute(SQL["owner"]).fetchone()
    if owner is None or not owner["other"]:
        return
    with connection.transaction():
        rows = connection.execute(SQL["hand_over"], {"owner": owner["name"]}).fetchall()
        for row in rows:
            connection.execute(sql.SQL(row["statement"]))
