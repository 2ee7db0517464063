"""Bring everything of one hub's database into another, empty one, whatever each is made of.

The new one is migrated, so it has partitions or hypertables as its server can, and
then gets the rows, table by table, in one transaction, out of one moment of the old
one: all of it comes or nothing. Nobody else may work with either meanwhile, for what
ingest commits to the old one after that moment would be lost while its device was
told that it is safe. The old database is only read.
"""

import time
from collections.abc import Iterable
from graphlib import TopologicalSorter

from psycopg import sql

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError
from cloud_hub.store import partitions
from cloud_hub.store.database import Connection, Database, load_queries
from cloud_hub.store.migrate import migrate
from wire.clock import to_us

QUERIES = load_queries("cloud_hub.store", "moving.sql")
PATIENCE_S = 1.0
ITS_OWN = {"migration", "capability"}  # each database's


def move(source: str, target: str, config: HubConfig) -> dict[str, int]:
    """Fill the database at ``target`` with what the one at ``source`` holds; rows by table.

    Raises ``ConflictError`` where the target holds rows, where either is in use, and where the source has
    another schema than this version's.
    """
    with Database(target).connect() as there:
        _refuse_used(there, "new")
        _refuse_filled(there)
    with Database(source).connect() as here:
        _refuse_used(here, "old")
        schema = _applied(here)
        if not schema:
            raise ConflictError("the old database was never migrated: there is nothing to move")
        migrate(target, config, rollups_come=True)
        with Database(target).connect() as there:
            if schema != (own := _applied(there)):
                raise ConflictError(
                    f"the old database is at {schema[-1][0]}, this version at {own[-1][0]}, or they differ"
                    " on the way: `andon hub migrate` the old one with this version first"
                )
            moved = _move(here, there, config)
            for table in moved:
                there.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    return moved


def _move(here: Connection, there: Connection, config: HubConfig) -> dict[str, int]:
    moved = {}
    with there.transaction(), here.transaction():
        here.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        silent = [row["name"] for row in there.execute(QUERIES["triggers"])]
        _switch(there, silent, "DISABLE")
        for table in _in_order(there):
            if table in partitions.TABLES:
                _cover(here, there, table, config)
            moved[table] = _copy(here, there, table)
        _switch(there, silent, "ENABLE")
        _continue_sequences(here, there)
        _refuse_used(here, "old")
    return moved


def _refuse_used(connection: Connection, which: str) -> None:
    """A connection that was closed a moment ago may still be listed, so not at the first look."""
    deadline = time.monotonic() + PATIENCE_S
    while (row := connection.execute(QUERIES["others"]).fetchone()) is not None and row["number"]:
        if time.monotonic() > deadline:
            names = f" ({row['names']})" if row["names"] else ""
            raise ConflictError(
                f"{row['number']} other connections use the {which} database{names}: stop every process"
                " of the hub, wherever it runs, above all ingest"
            )
        time.sleep(0.05)
        connection.execute("SELECT pg_stat_clear_snapshot()")


def _refuse_filled(connection: Connection) -> None:
    """A schema without rows is what a move that failed leaves behind: no reason to refuse the next one."""
    tables = [row["name"] for row in connection.execute(QUERIES["tables"])]
    row = connection.execute(QUERIES["is_migrated"]).fetchone()
    if tables and not (row and row["yes"]):
        raise ConflictError(f"the new database is not empty, it holds {tables[0]}: name an empty one")
    for table in tables:
        some = connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table))).fetchone()
        if table not in ITS_OWN and some is not None:
            raise ConflictError(f"the new database is not empty, {table} has rows: name an empty one")
    if tables and "rollup_minute" not in tables:
        raise ConflictError(
            "the new database keeps its rollups as continuous aggregates, which cannot take others:"
            " name one that was not migrated yet"
        )


def _applied(connection: Connection) -> list[tuple[str, str]]:
    row = connection.execute(QUERIES["is_migrated"]).fetchone()
    if row is None or not row["yes"]:
        return []
    return [(each["name"], each["sha256"]) for each in connection.execute(QUERIES["applied"])]


def _in_order(connection: Connection) -> list[str]:
    """Every table after those its foreign keys name."""
    parents = {row["name"]: row["parents"] for row in connection.execute(QUERIES["tables"])}
    return [table for table in TopologicalSorter(parents).static_order() if table not in ITS_OWN]


def _cover(here: Connection, there: Connection, table: str, config: HubConfig) -> None:
    """Partitions for all the times that are there, not only for those that are still accepted."""
    query = sql.SQL("SELECT min(time) AS first, max(time) AS last FROM {}").format(sql.Identifier(table))
    row = here.execute(query).fetchone()
    if row is not None and row["first"] is not None:
        wanted = (to_us(row["first"]), to_us(row["last"]) + 1)
        partitions.cover(there, table, wanted, partitions.span_of(table, config.store))


def _copy(here: Connection, there: Connection, table: str) -> int:
    columns = sql.SQL(", ").join(
        sql.Identifier(row["name"]) for row in there.execute(QUERIES["columns"], {"table": table}).fetchall()
    )
    names = {"columns": columns, "table": sql.Identifier(table)}
    # of a query, for a hypertable's own COPY leaves its chunks out
    out = sql.SQL("COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT BINARY)").format(**names)
    into = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)").format(**names)
    with here.cursor() as reader, there.cursor() as writer:
        with reader.copy(out) as rows, writer.copy(into) as copy:
            for block in rows:
                copy.write(block)
        if reader.rowcount != writer.rowcount:
            raise ConflictError(f"{table}: {reader.rowcount} rows were read, {writer.rowcount} written")
        return writer.rowcount


def _switch(connection: Connection, tables: Iterable[str], how: str) -> None:
    for table in tables:
        statement = sql.SQL("ALTER TABLE {} {} TRIGGER USER")
        connection.execute(statement.format(sql.Identifier(table), sql.SQL(how)))


def _continue_sequences(here: Connection, there: Connection) -> None:
    """Numbers that were given are not given again, even where their rows are gone."""
    for row in there.execute(QUERIES["sequences"]).fetchall():
        values = {"table": row["table_name"], "column": row["column_name"]}
        named = here.execute(
            "SELECT pg_get_serial_sequence(%(table)s, %(column)s) AS name", values
        ).fetchone()
        if named is None or named["name"] is None:
            raise ConflictError(f"the old database numbers no {values['table']}.{values['column']}")
        schema, name = named["name"].split(".")
        statement = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        state = here.execute(statement).fetchone()
        if state is not None:
            told = {"name": row["name"], "last": state["last_value"], "called": state["is_called"]}
            there.execute(QUERIES["continue"], told)
