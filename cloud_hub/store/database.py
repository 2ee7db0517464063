"""Connections to PostgreSQL: the one way every stage reaches it.

A transaction is READ COMMITTED with ``synchronous_commit = on``: what it reports
as committed survives a crash of the server, and that is what commit marks promise.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from cloud_hub.errors import ConfigError, DatabaseAwayError

SECRET = frozenset({"password", "passfile", "sslpassword"})  # of a connection string: nobody's to read
WHY_SECONDS = 5  # for finding out why no connection came

Row = dict[str, Any]
Connection = psycopg.Connection[DictRow]


class Database:
    """A pool of connections; rows come as dictionaries."""

    def __init__(self, conninfo: str, *, most: int = 8, patience_s: float = 10.0) -> None:
        logging.getLogger("psycopg.pool").setLevel(
            logging.ERROR
        )  # a database that is away is our own to tell
        self.conninfo = conninfo
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            conninfo,
            min_size=0,
            max_size=most,
            timeout=patience_s,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={"row_factory": dict_row, "options": "-c timezone=UTC -c synchronous_commit=on"},
        )

    def __enter__(self) -> "Database":
        self._pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> "Database":
        self._pool.open()
        return self

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose work is committed at the end, or undone where an error leaves it."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            self.connect(connect_timeout=WHY_SECONDS).close()  # says why, where it still does not answer
            raise DatabaseAwayError(f"the database does not answer: {self.where}; is it running?") from error

    def connect(self, *, autocommit: bool = True, **options: Any) -> Connection:
        """A connection of its own, for LISTEN and other things that outlive a transaction."""
        try:
            return psycopg.connect(
                self.conninfo,
                autocommit=autocommit,
                row_factory=dict_row,
                options="-c timezone=UTC",
                **options,
            )
        except psycopg.OperationalError as error:
            why = " ".join(str(error).split())
            raise DatabaseAwayError(f"the database does not answer: {self.where}: {why}") from error

    def rows(self, query: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Every row of one query, in a transaction of its own."""
        with self.transaction() as connection:
            return connection.execute(query, values).fetchall()

    def row(self, query: str, values: Mapping[str, Any] | None = None) -> Row | None:
        """The first row of one query, in a transaction of its own."""
        with self.transaction() as connection:
            return connection.execute(query, values).fetchone()

    def execute(self, query: str, values: Mapping[str, Any] | None = None) -> int:
        """Run one statement in a transaction of its own; returns the rows it touched."""
        with self.transaction() as connection:
            return connection.execute(query, values).rowcount

    @property
    def where(self) -> str:
        """The connection string without its passwords and where they lie."""
        parts: dict[str, Any] = dict(psycopg.conninfo.conninfo_to_dict(self.conninfo))
        told = {name: value for name, value in parts.items() if name not in SECRET}
        return psycopg.conninfo.make_conninfo(**told)


def check_conninfo(conninfo: str) -> None:
    """``ConfigError`` for what is no connection string; it may hold a password, so it is not repeated."""
    try:
        psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        raise ConfigError(
            "expected database_url like postgresql://user@host:5432/andon, got something else"
        ) from error


_NAME = re.compile(r"^-- ([a-z0-9_]+)\n", re.MULTILINE)


def load_queries(package: str, file: str = "queries.sql") -> Mapping[str, str]:
    """The named queries of a stage: a line ``-- name``, then comments and one statement."""
    text = (resources.files(package) / file).read_text()
    _, *parts = _NAME.split(text)
    names, bodies = parts[0::2], parts[1::2]
    return MappingProxyType(dict(zip(names, map(str.strip, bodies), strict=True)))
