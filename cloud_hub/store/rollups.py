"""Rollups: each minute and each hour of a signal in one row, made again whenever samples came, however late.

Writers say in ``touched`` what they wrote, in the transaction that writes it. A turn
takes that out and makes the rollups in one transaction too: a writer that commits
later than the turn looked leaves its row behind for the next turn, so none is
missed, and nobody waits for anybody. Made only from samples that are there, a
rollup never shrinks: when retention has dropped the samples, it stays as it is.

Only minutes that have ended are written, so each is written about once; the open
one waits in ``touched``, and charts read it from the samples.
"""

from datetime import datetime, timedelta

from cloud_hub.config import StoreSettings
from cloud_hub.store import partitions, timescale
from cloud_hub.store.database import Connection, load_queries
from wire.clock import Clock, to_datetime

QUERIES = load_queries("cloud_hub.store", "rollups.sql")
MOST_SIGNALS = 1000  # of one hour in one transaction
HOUR = timedelta(hours=1)
MINUTE_US = 60_000_000

_LOCK = 0x726F6C6C  # "roll"


def turn(
    connection: Connection, store: StoreSettings, clock: Clock, *, most_signals: int = MOST_SIGNALS
) -> int:
    """Roll up what was touched until now; returns how many hours of signals (or hours) that were.

    ``connection`` is in autocommit mode: every transaction holds at most ``most_signals`` of one hour. Safe
    from any number of processes: one of them works, the others return at once.
    """
    if _made_elsewhere(connection):
        return timescale.refresh(connection, clock)
    now = clock.now_us()
    _forget(connection, store, now)
    ended = to_datetime(now // MINUTE_US * MINUTE_US)
    done = 0
    for row in connection.execute(QUERIES["hours"], {"open": ended}).fetchall():
        while (rolled := _roll_up(connection, row["hour"], ended, most_signals)) == most_signals:
            done += rolled
        if rolled is None:
            return done  # another process is at it
        done += rolled
    return done


def _roll_up(connection: Connection, hour: datetime, ended: datetime, most: int) -> int | None:
    """One transaction's worth of ``hour``; how many signals; None where another process is at it."""
    with connection.transaction():
        row = connection.execute(QUERIES["mine"], {"key": _LOCK}).fetchone()
        if row is None or not row["mine"]:
            return None
        # A statement after the lock's: it sees what the process before has committed.
        values = {"hour": hour, "open": ended, "most": most}
        claimed = connection.execute(QUERIES["claim"], values, prepare=False).fetchall()
        if claimed:
            connection.execute(QUERIES["by_index"])
            values |= {
                "signals": [each["signal"] for each in claimed],
                "since": [each["since"] for each in claimed],
                "first": min(each["since"] for each in claimed),
                "end": hour + HOUR,
            }
            connection.execute(QUERIES["minutes"], values, prepare=False)
            connection.execute(QUERIES["hour"], values, prepare=False)
    return len(claimed)


def _forget(connection: Connection, store: StoreSettings, now: int) -> None:
    days = partitions.span_of("rollup_minute", store).days
    oldest = to_datetime(now - round(days * partitions.DAY_US))
    connection.execute(QUERIES["forget"], {"oldest": oldest})


def _made_elsewhere(connection: Connection) -> bool:
    row = connection.execute(QUERIES["made_elsewhere"]).fetchone()
    return row is not None and bool(row["yes"])
