"""The engine: hear what devices reported, let the policy decide, direct the devices. One transaction a step.

All state is in PostgreSQL under the rollout's lock, so a step may be killed at any
instant, run again, or run twice at once: what was committed is not repeated, and what
was not committed did not happen. Only this module issues directives.
"""

from datetime import datetime
from typing import Any

from cloud_hub.errors import HubError
from cloud_hub.rollout import states
from cloud_hub.rollout.plan import Plan
from cloud_hub.rollout.policy import Decision, Standing, Verdict, decide, overdue
from cloud_hub.rollout.ports import Crown, Record, Sign
from cloud_hub.rollout.rollouts import active, locked
from cloud_hub.rollout.selection import SQL
from cloud_hub.store.database import Connection, Database, Row
from wire.clock import Clock, to_us
from wire.directive import Directive

DAY_US = 86_400_000_000
PATIENCE_S = 60.0  # of real time: networks are no faster where a clock runs fast
ACTOR = "policy:rollout"
INSTALL, UNDO = "install", "undo"
_BECOMES = {Verdict.HALT: "halted", Verdict.DONE: "done"}


class Engine:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        sign: Sign,
        record: Record,
        crown: Crown,
        directive_days: float = 7.0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sign = sign
        self._record = record
        self._crown = crown
        self._expiry_us = round(directive_days * DAY_US)

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
        return len(found)

    def step(self, rollout: str) -> None:
        """Fold the reports, decide, direct: all of it or nothing."""
        with self._database.transaction() as connection:
            row = locked(connection, rollout)
            now = self._clock.now()
            about = {"rollout": rollout, "use_case": row["use_case"], "now": now}
            connection.execute(SQL["fold"], about | {"final": list(states.FINAL)})
            plan = Plan.parse(row["plan"])
            standings = [_standing(each) for each in connection.execute(SQL["standings"], about)]
            times = {"now_us": to_us(now), "least_us": clock_span_us(self._clock, PATIENCE_S)}
            if row["state"] == "running":
                decision = decide(plan, standings, wave=row["wave"], **times)
                self._silence(connection, about, decision.silent)
                self._carry_out(connection, row, decision, now)
                return
            late = overdue(plan, standings, wave=row["wave"], **times)
            self._silence(connection, about, late)
            if row["state"] == "undone":
                self._direct(
                    connection, row, connection.execute(SQL["to_return"], about).fetchall(), UNDO, now
                )

    def _silence(self, connection: Connection, about: Row, devices: tuple[int, ...]) -> None:
        if devices:
            connection.execute(SQL["go_silent"], about | {"devices": list(devices)})

    def _carry_out(self, connection: Connection, row: Row, decision: Decision, now: datetime) -> None:
        if decision.offer:
            wanted = {"use_case": row["use_case"], "release": row["release"], "devices": list(decision.offer)}
            self._direct(
                connection, row, connection.execute(SQL["to_offer"], wanted).fetchall(), INSTALL, now
            )
        becomes = _BECOMES.get(decision.verdict, row["state"])
        change = {"rollout": row["id"], "state": becomes, "reason": decision.reason, "wave": decision.wave}
        connection.execute(SQL["carry_out"], change | {"now": now})
        if decision.verdict is Verdict.DONE:
            self._crown(connection, row["use_case"], row["release"])
        if decision.verdict is not Verdict.WAIT:
            self._record(
                connection,
                actor=ACTOR,
                action=f"rollout.{decision.verdict}",
                subject=row["id"],
                detail={"wave": decision.wave, "reason": decision.reason, "offered": len(decision.offer)},
                correlation=row["correlation"],
            )

    def _direct(self, connection: Connection, row: Row, devices: list[Row], mode: str, now: datetime) -> None:
        """Issue a signed directive to each of ``devices`` that can be directed; say why of the others."""
        directives, offers, left = [], [], []
        for device in devices:
            about = {"rollout": row["id"], "device": device["id"], "now": now}
            why = _objection(device, mode)
            if why:
                state = states.WITHDRAWN if mode == INSTALL else states.KEPT
                left.append(about | {"state": state, "reason": why})
                continue
            directive = self._directive(row, device, mode, now)
            offers.append(about | {"sequence": directive.sequence, "previous": device["previous"]})
            directives.append(
                about
                | {"use_case": row["use_case"], "release": directive.release, "mode": mode}
                | {"sequence": directive.sequence, "signed": self._sign(directive).to_bytes()}
                | {"name": device["name"]}
            )
        _run(connection, "insert_directive", directives)
        _run(connection, "offered", offers)
        _run(connection, "not_offered", left)
        _run(connection, "notify", directives)

    def _directive(self, row: Row, device: Row, mode: str, now: datetime) -> Directive:
        now_us = to_us(now)
        return Directive(
            device=device["name"],
            key_fingerprint=device["key_fingerprint"],
            use_case=row["use_case"],
            release=device["release"],
            bundle_path=device["bundle_path"],
            bundle_sha256=device["bundle_sha256"],
            sequence=max(device["last_sequence"] + 1, now_us // 1000),
            issued_us=now_us,
            expires_us=now_us + max(self._expiry_us, clock_span_us(self._clock, PATIENCE_S)),
            rollout=row["id"],
            mode=mode,
            correlation=row["correlation"],
        )


def clock_span_us(clock: Clock, real_s: float) -> int:
    """How much clock time the last ``real_s`` real seconds were."""
    real_us = real_s * 1e6
    since_real_us = min(max(0, clock.now_us() - clock.caught_up_us), real_us)
    return round(since_real_us + (real_us - since_real_us) * clock.factor)


def _objection(device: Row, mode: str) -> str:
    if device["retired"] or not device["key_fingerprint"]:
        return "retired" if device["retired"] else "not enrolled"
    if mode == UNDO and device["release"] is None:
        return "it had no release before this one to go back to"
    return ""


def _standing(row: Row) -> Standing:
    return Standing(
        device=row["device"],
        wave=row["wave"],
        state=row["state"],
        offered_us=to_us(row["issued"]) if row["issued"] else 0,
        since_us=to_us(row["changed"]),
    )


def _run(connection: Connection, query: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(SQL[query], rows)
