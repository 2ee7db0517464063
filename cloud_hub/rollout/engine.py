"""The engine: hear what devices reported, let the policy decide, direct the devices. One transaction a step.

All state is in PostgreSQL under the rollout's lock, so a step may be killed at any
instant, run again, or run twice at once: what was committed is not repeated, and what
was not committed did not happen. What is kept here only saves reading twice. The number
of statements in a step does not depend on how many devices there are.
"""

import time
from datetime import timedelta

from cloud_hub.errors import HubError
from cloud_hub.rollout import directing, states, windows
from cloud_hub.rollout.hearing import Heard, hear, timeout
from cloud_hub.rollout.plan import Plan
from cloud_hub.rollout.policy import Decision, Opened, Verdict, decide
from cloud_hub.rollout.ports import Crown, Record, SignAll
from cloud_hub.rollout.rollouts import active, locked
from cloud_hub.rollout.selection import SQL
from cloud_hub.rollout.tending import groups, tend
from cloud_hub.store.database import Connection, Database, Row
from wire.clock import Clock, to_datetime, to_us

PATIENCE_S = 60.0  # of real time: networks are no faster where a clock runs fast
TEND_S = 5.0  # of real time, between two looks at who is late, retired or enrolled anew
ACTOR = "policy:rollout"
_BECOMES = {
    Verdict.WAIT: "running",
    Verdict.WIDEN: "running",
    Verdict.AWAIT: "awaiting",
    Verdict.HALT: "halted",
    Verdict.DONE: "done",
}
_GOING = frozenset({"running", "awaiting"})
_ENDED = frozenset({"halted", "aborted", "undone", "done"})


class Engine:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        sign: SignAll,
        record: Record,
        crown: Crown,
        directive_days: float = 7.0,
        tend_s: float = TEND_S,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sign = sign
        self._record = record
        self._crown = crown
        self._lifetime = timedelta(days=directive_days)
        self._tend_s = tend_s
        self._heard: dict[str, Heard] = {}
        self._tended: dict[str, float] = {}

    def step_all(self) -> int:
        """One step of every active rollout; returns how many are active. One that cannot go on says why."""
        with self._database.transaction() as connection:
            found = active(connection)
        for rollout in found:
            try:
                self.step(rollout)
            except HubError as error:
                self._database.execute(
                    SQL["explain"], {"rollout": rollout, "reason": f"cannot go on: {error}"}
                )
        for rollout in self._heard.keys() - set(found):
            del self._heard[rollout]
            self._tended.pop(rollout, None)
        return len(found)

    def step(self, rollout: str) -> None:
        """Fold the reports, decide, direct: all of it or nothing."""
        with self._database.transaction() as connection:
            row = locked(connection, rollout)
            plan = Plan.parse(row["plan"])
            about = {"rollout": rollout, "use_case": row["use_case"], "now": self._clock.now()}
            heard = hear(connection, about, plan, self._heard.get(rollout, Heard()))
            self._silence(connection, about)
            if self._is_due(rollout):
                row = self._tend(connection, row, plan, about)
            going = row["state"] in _GOING
            state = self._go_on(connection, row, plan, about) if going else row["state"]
            if state == "undone":
                self._send_back(connection, row, plan, about)
            if state in _ENDED:
                connection.execute(SQL["unfollow"], about | {"settled": list(states.SETTLED)})
        self._heard[rollout] = heard

    def _silence(self, connection: Connection, about: Row) -> None:
        least = timedelta(microseconds=clock_span_us(self._clock, PATIENCE_S))
        known = {"settled": list(states.SETTLED), "idle": list(states.IDLE)}
        connection.execute(SQL["go_silent"], about | known | {"least": least})

    def _is_due(self, rollout: str) -> bool:
        now = time.monotonic()
        if now - self._tended.get(rollout, -self._tend_s) < self._tend_s:
            return False
        self._tended[rollout] = now
        return True

    def _tend(self, connection: Connection, row: Row, plan: Plan, about: Row) -> Row:
        tend(connection, row, plan, about)
        return locked(connection, row["id"])  # late devices may have made another wave

    def _go_on(self, connection: Connection, row: Row, plan: Plan, about: Row) -> str:
        """Do what the policy says; returns the state that the rollout is in then."""
        opened = Opened(
            wave=row["wave"],
            passed_us=to_us(row["passed"]) if row["passed"] else None,
            approvals=tuple(row["approvals"]),
            approved=row["approved"],
        )
        known = groups(connection, row["id"])
        decision = decide(plan, known, opened, now_us=to_us(about["now"]))
        offered = self._offer(connection, row, plan, decision, about) if decision.room else 0
        self._carry_out(connection, row, decision, offered, about)
        return _BECOMES[decision.verdict]

    def _offer(self, connection: Connection, row: Row, plan: Plan, decision: Decision, about: Row) -> int:
        """Direct waiting devices, as many as there is room for, where a window is open."""
        wanted = about | {"release": row["release"], "wave": decision.wave, "room": decision.room}
        zones = [each["zone"] for each in connection.execute(SQL["zones"], wanted)] if plan.windows else []
        closed = windows.closed(plan.windows, zones, about["now"])
        if closed:
            told = {"zones": list(closed), "reasons": list(closed.values())}
            connection.execute(SQL["await_windows"], wanted | told)
        devices = connection.execute(SQL["to_offer"], wanted | {"closed": list(closed)}).fetchall()
        return self._direct(connection, row, plan, devices, mode=directing.INSTALL)

    def _send_back(self, connection: Connection, row: Row, plan: Plan, about: Row) -> None:
        devices = connection.execute(SQL["to_return"], about).fetchall()
        self._direct(connection, row, plan, devices, mode=directing.UNDO)

    def _direct(self, connection: Connection, row: Row, plan: Plan, devices: list[Row], *, mode: str) -> int:
        least = timedelta(microseconds=clock_span_us(self._clock, PATIENCE_S))
        return directing.direct(
            connection,
            row,
            devices,
            mode,
            sign=self._sign,
            now=self._clock.now(),
            lifetime=max(self._lifetime, least),
            timeout=timeout(plan),
        )

    def _carry_out(
        self, connection: Connection, row: Row, decision: Decision, offered: int, about: Row
    ) -> None:
        becomes = _BECOMES[decision.verdict]
        passed = to_datetime(decision.passed_us) if decision.passed_us is not None else None
        change = {"state": becomes, "reason": decision.reason, "wave": decision.wave, "passed": passed}
        connection.execute(SQL["carry_out"], about | change)
        detail = {"wave": decision.wave, "reason": decision.reason, "offered": offered}
        if decision.verdict is Verdict.HALT:
            detail |= _halted(connection, about)
        if decision.verdict is Verdict.DONE:
            self._crown(connection, row["use_case"], row["release"])
        noted = decision.verdict is Verdict.WAIT or becomes == row["state"] == "awaiting"
        if not noted:
            self._record(
                connection,
                actor=ACTOR,
                action=f"rollout.{decision.verdict}",
                subject=row["id"],
                detail=detail,
                correlation=row["correlation"],
            )


def clock_span_us(clock: Clock, real_s: float) -> int:
    """How much clock time the last ``real_s`` real seconds were."""
    real_us = real_s * 1e6
    since_real_us = min(max(0, clock.now_us() - clock.caught_up_us), real_us)
    return round(since_real_us + (real_us - since_real_us) * clock.factor)


def _halted(connection: Connection, about: Row) -> Row:
    """Write down how long the first failure took to halt the rollout; nothing where none did."""
    failures = [*states.FAILURES, states.SILENT]
    found = connection.execute(SQL["halted"], about | {"failures": failures}).fetchone()
    if found is None or found["first_failure"] is None:
        return {}
    first = found["first_failure"]
    return {"first_failure": first, "seconds_to_halt": (about["now"] - first).total_seconds()}
