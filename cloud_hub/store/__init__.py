"""The store: PostgreSQL, with TimescaleDB where it is there."""
