"""What people do with rollouts: start, approve, pause, resume, abort, undo.

Each act is one transaction with its audit entry. Nothing here signs or sends
anything: these acts change what is wanted, and the engine in the rollout
worker, the only one with a key, makes it so.
"""

from collections.abc import Mapping
from types import MappingProxyType

from psycopg.types.json import Jsonb

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.rollout.plan import Plan
from cloud_hub.rollout.ports import Crown, Record, Wake
from cloud_hub.rollout.preview import Preview
from cloud_hub.rollout.selection import SQL, released
from cloud_hub.rollout.starting import check_once, look_ahead
from cloud_hub.store.database import Connection, Database, Row
from wire.clock import Clock

# act: (the states it starts from, the state it leads to)
TRANSITIONS: Mapping[str, tuple[frozenset[str], str]] = MappingProxyType(
    {
        "approve": (frozenset({"awaiting"}), "running"),
        "pause": (frozenset({"running", "awaiting"}), "paused"),
        "resume": (frozenset({"paused"}), "running"),
        "abort": (frozenset({"running", "awaiting", "paused"}), "aborted"),
        "undo": (frozenset({"running", "awaiting", "paused", "halted", "aborted", "done"}), "undone"),
    }
)


class Rollouts:
    def __init__(self, database: Database, clock: Clock, *, record: Record, wake: Wake, crown: Crown) -> None:
        self._database = database
        self._clock = clock
        self._record = record
        self._wake = wake
        self._crown = crown

    def start(
        self, plan: Plan, *, actor: str, supersede: bool = False, correlation: str = "", seal: str = ""
    ) -> str:
        """Begin a rollout and return its id; the engine opens the first wave.

        Raises ``ConflictError`` while another rollout of the use case directs one
        of the devices, unless ``supersede`` says to abort that one. With the ``seal``
        of a preview it is what was seen there that starts: ``StartedError`` for a
        second time, ``ChangedError`` where that is no longer what would start.
        """
        with self._database.transaction() as connection:
            connection.execute(SQL["lock_use_case"], {"use_case": plan.use_case})
            if seal:
                check_once(connection, plan, seal, actor)
            model = released(connection, plan)
            ahead = look_ahead(connection, plan, model, self._clock.now())
            if seal:
                ahead.check_seal(seal)
            ended = self._end_others(connection, ahead, supersede)
            traced = correlation or model["correlation"]
            self._insert(connection, ahead, actor=actor, correlation=traced)
            self._wake(connection)
            self._record(
                connection,
                actor=actor,
                action="rollout.start",
                subject=ahead.rollout,
                detail={
                    "plan": plan.fields(),
                    "devices": len(ahead.waves),
                    "supersedes": [row["id"] for row in ended],
                },
                correlation=traced,
            )
            for row in ended:
                self._record(
                    connection,
                    actor=actor,
                    action="rollout.supersede",
                    subject=row["id"],
                    detail={"reason": _superseded(ahead), "was": row["state"]},
                    correlation=row["correlation"],
                )
        return ahead.rollout

    def preview(self, plan: Plan) -> Preview:
        """What ``start`` would do now, and refuse; rollouts in the way are named."""
        with self._database.transaction() as connection:
            model = released(connection, plan)
            return look_ahead(connection, plan, model, self._clock.now())

    def check_once(self, plan: Plan, seal: str, *, actor: str) -> None:
        """``StartedError`` where ``actor`` has started ``plan`` from the preview of this ``seal`` before."""
        with self._database.transaction() as connection:
            check_once(connection, plan, seal, actor)

    def approve(self, rollout: str, *, actor: str, reason: str = "", wave: int | None = None) -> None:
        """Let the wave open that awaits it, and no other; with four eyes not by who started the rollout.

        ``wave`` is the one that was looked at, if somebody looked: ``ConflictError`` where another awaits it
        by now, as one that is approved twice has opened the first time.
        """
        self._act("approve", rollout, actor, reason, wave=wave)

    def pause(self, rollout: str, *, actor: str, reason: str) -> None:
        """Open no further wave until resumed; devices already offered go on."""
        self._act("pause", rollout, actor, reason)

    def resume(self, rollout: str, *, actor: str, reason: str = "") -> None:
        """Go on with a paused rollout."""
        self._act("resume", rollout, actor, reason)

    def abort(self, rollout: str, *, actor: str, reason: str) -> None:
        """End it: nobody else is offered the release, those that have it keep it."""
        self._act("abort", rollout, actor, reason)

    def undo(self, rollout: str, *, actor: str, reason: str) -> None:
        """End it and send every device it was offered to back to the release it had before.

        So are those that are still at it, in probation or silent. A device that had
        none stays on the new release, one that is pinned or that a later rollout directs
        stays as it is; these are marked kept, with the reason.
        """
        self._act("undo", rollout, actor, reason)

    def _act(self, act: str, rollout: str, actor: str, reason: str, *, wave: int | None = None) -> None:
        begins, becomes = TRANSITIONS[act]
        with self._database.transaction() as connection:
            row = locked(connection, rollout)
            if row["state"] not in begins:
                allowed = " or ".join(sorted(begins))
                raise ConflictError(f"rollout {rollout} is {row['state']}; {act} needs one that is {allowed}")
            detail: Row = {"reason": reason, "was": row["state"]}
            if act == "approve":
                _check_wave(row, wave)
                _check_eyes(connection, row, actor)
                connection.execute(SQL["let_open"], {"rollout": rollout})
                detail["wave"] = row["wave"] + 1
            said = reason or f"{act} by {actor}"
            change = {"rollout": rollout, "state": becomes, "reason": said, "now": self._clock.now()}
            connection.execute(SQL["set_state"], change)
            if act == "undo":
                self._send_back(connection, row)
            self._wake(connection)
            self._record(
                connection,
                actor=actor,
                action=f"rollout.{act}",
                subject=rollout,
                detail=detail,
                correlation=row["correlation"],
            )

    def _send_back(self, connection: Connection, row: Row) -> None:
        values = {"rollout": row["id"], "use_case": row["use_case"], "now": self._clock.now()}
        connection.execute(SQL["send_back"], values)
        if row["state"] == "done":
            before = connection.execute(SQL["last_done"], values).fetchone()
            self._crown(connection, row["use_case"], before["release"] if before else None)

    def _end_others(self, connection: Connection, ahead: Preview, supersede: bool) -> list[Row]:
        """The rows of those that were ended, as they were before."""
        if ahead.others and not supersede:
            other = ahead.others[0]
            raise ConflictError(
                f"rollout {other.id} of {ahead.plan.use_case} still directs {', '.join(other.devices[:3])}: "
                "wait for it, abort it, or start with --supersede"
            )
        ended = []
        for other in ahead.others:
            row = connection.execute(SQL["lock_rollout"], {"rollout": other.id}).fetchone()
            assert row is not None, "it was found under the lock that this transaction holds"
            change = {"rollout": other.id, "reason": _superseded(ahead), "now": self._clock.now()}
            connection.execute(SQL["supersede"], change)
            ended.append(row)
        return ended

    def _insert(self, connection: Connection, ahead: Preview, *, actor: str, correlation: str) -> None:
        now = self._clock.now()
        plan = ahead.plan
        row = {"id": ahead.rollout, "use_case": plan.use_case, "release": plan.release, "actor": actor}
        extra = {"plan": Jsonb(plan.fields()), "correlation": correlation, "now": now}
        connection.execute(SQL["insert_rollout"], row | extra | {"approvals": list(ahead.approvals)})
        places = {"devices": list(ahead.waves), "waves": list(ahead.waves.values())}
        connection.execute(SQL["insert_devices"], {"rollout": ahead.rollout, "now": now} | places)


def _superseded(ahead: Preview) -> str:
    return f"superseded by {ahead.rollout}"


def _check_wave(row: Row, wave: int | None) -> None:
    """What somebody approves is what they saw, and not what came after it."""
    awaits = row["wave"] + 1
    if wave is not None and wave != awaits:
        raise ConflictError(
            f"rollout {row['id']} awaits approval of wave {awaits}, got one of wave {wave}: look at it again"
        )


def _check_eyes(connection: Connection, row: Row, actor: str) -> None:
    """Four eyes are two people, whichever of their names each acts by: at the console, at the terminal."""
    if not row["plan"].get("four_eyes"):
        return
    asked = {"actor": actor, "starter": row["created_by"]}
    eyes = connection.execute(SQL["eyes"], asked).fetchone()
    assert eyes is not None
    if eyes["actor"] == eyes["starter"]:
        raise ConflictError(
            f"rollout {row['id']} wants four eyes: {eyes['actor']} started it, another person approves it"
        )
    if eyes["nobodys"]:
        raise ConflictError(
            f"rollout {row['id']} wants four eyes, and nobody knows whose {eyes['nobodys']} is: "
            f"`andon hub person terminal NAME {eyes['nobodys']}` says so"
        )


def locked(connection: Connection, rollout: str) -> Row:
    """The rollout's row, locked until the transaction ends, and with it the use case's rollouts."""
    found = connection.execute(SQL["use_case_of"], {"rollout": rollout}).fetchone()
    if found is None:
        raise NotFoundError("rollout", rollout)
    connection.execute(SQL["lock_use_case"], {"use_case": found["use_case"]})
    row = connection.execute(SQL["lock_rollout"], {"rollout": rollout}).fetchone()
    assert row is not None
    return row


def active(connection: Connection) -> list[str]:
    """Rollouts in which something can still happen."""
    return [row["id"] for row in connection.execute(SQL["active"])]
