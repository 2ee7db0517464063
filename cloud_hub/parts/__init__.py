"""The servers a hub needs (PostgreSQL, a broker), started by itself when none is configured."""
