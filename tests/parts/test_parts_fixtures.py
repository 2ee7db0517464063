"""The fixtures other tests rely on."""

import psycopg


def tables(conninfo):
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in rows}


def test_each_test_gets_a_migrated_database(database):
    assert "device" in tables(database)


def test_a_database_for_migrations_is_empty(empty_database):
    assert tables(empty_database) == set()
