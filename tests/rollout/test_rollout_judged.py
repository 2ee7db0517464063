"""The verdict on a wave with what it rests on. Pure: the rows are made by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cloud_hub.rollout.drafts import Draft
from cloud_hub.rollout.judged import Judged, judged, soaks_until
from cloud_hub.rollout.members import Failure
from cloud_hub.rollout.read import Decided, Rollout, WaveStatus

BEGAN = datetime(2026, 11, 27, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = BEGAN + 10 * HOUR


def rollout(
    *, state: str = "running", wave: int = 1, passed: datetime | None = None, **fields: str
) -> Rollout:
    plan = Draft.of({"release": ["m/1"], **{name: [text] for name, text in fields.items()}}).read().plan
    assert plan is not None
    return Rollout(
        id="m-1.1",
        use_case="m",
        release="m/1",
        state=state,
        reason="",
        wave=wave,
        waves=2,
        devices=20,
        states={},
        plan=plan.fields(),
        correlation="",
        created_by="mira",
        created=BEGAN,
        changed=NOW,
        approvals=[],
        awaiting=None,
        passed=passed,
        first_failure=None,
        halted=None,
        seconds_to_halt=None,
    )


def status(
    number: int = 1, *, state: str = "open", committed: int = 0, failed: int = 0, **more: int
) -> WaveStatus:
    size, skipped, withdrawn = more.get("size", 10), more.get("skipped", 0), more.get("withdrawn", 0)
    return WaveStatus(
        wave=number,
        state=state,
        size=size,
        committed=committed,
        failed=failed,
        skipped=skipped,
        withdrawn=withdrawn,
        open=size - committed - failed - skipped,
    )


def said(hours: float, action: str, **detail: Any) -> Decided:
    return Decided(
        time=BEGAN + hours * HOUR, actor="policy:rollout", action=f"rollout.{action}", detail=detail
    )


def first(found: Rollout, *waves: WaveStatus, history: tuple[Decided, ...] = ()) -> Judged:
    return judged(found, waves, history, (), NOW)[0]


def checks(judgement: Judged) -> dict[str, tuple[str, str, bool | None]]:
    return {each.name: (each.found, each.asked, each.passed) for each in judgement.checks}


def test_an_open_wave_tells_how_far_each_thing_is_that_the_plan_asks() -> None:
    found = checks(first(rollout(tolerate="10%", soak="24"), status(committed=6, failed=1)))
    assert found == {
        "failures": ("1 of 10", "at most 1, 10 % of the 10 that count", None),
        "commits": ("6 of 10, 3 not answered", "at least 1, once all have answered", None),
        "soak": ("not begun: it has to prove itself first", "24 h", None),
    }


def test_one_failure_too_many_is_not_met_whoever_has_yet_to_answer() -> None:
    found = checks(first(rollout(tolerate="10%"), status(state="failed", committed=3, failed=2)))
    assert found["failures"] == ("2 of 10", "at most 1, 10 % of the 10 that count", False)


def test_a_share_is_of_those_that_were_asked_and_is_met_before_all_have_answered() -> None:
    plan = rollout(succeed="75%", tolerate="20%")
    assert checks(first(plan, status(committed=6, skipped=2, withdrawn=2)))["commits"] == (
        *("6 of 8, 2 not answered", "at least 6, 75 % of the 8 asked", True),
    )
    assert checks(first(plan, status(committed=5, skipped=2, withdrawn=2)))["commits"][2] is None
    assert checks(first(plan, status(committed=5, failed=3, skipped=2, withdrawn=2)))["commits"][2] is False


def test_a_wave_that_has_proved_itself_soaks_for_as_long_as_is_left() -> None:
    plan = rollout(soak="24", passed=NOW - 5 * HOUR)
    assert checks(first(plan, status(committed=10)))["soak"] == ("5 h", "24 h", None)
    assert checks(first(plan, status(committed=10)))["failures"] == ("0 of 10", "at most 0", True)
    assert soaks_until(plan) == NOW + 19 * HOUR
    assert soaks_until(rollout(soak="24")) is None
    assert soaks_until(rollout(soak="24", passed=NOW, state="halted")) is None


def test_waves_begin_and_end_when_the_policy_went_on_and_tell_what_it_said() -> None:
    history = (
        Decided(time=BEGAN, actor="mira", action="rollout.start", detail={}),
        said(0.1, "widen", wave=1, reason="the first wave opens"),
        said(2, "widen", wave=2, reason="wave 1: 10 of 10 committed"),
        said(3, "halt", wave=2, reason="wave 2: 1 failed"),
    )
    waves = (status(1, state="passed", committed=10), status(2, state="failed", failed=1))
    failure = Failure(wave=2, state="failed", reason="no room", devices=1, names=("cell-2",))
    one, two = judged(rollout(state="halted", wave=2), waves, history, [failure], NOW)
    assert (one.opened, one.closed) == (BEGAN + 0.1 * HOUR, BEGAN + 2 * HOUR)
    assert (two.opened, two.closed) == (BEGAN + 2 * HOUR, BEGAN + 3 * HOUR)
    assert (one.said, two.said) == ("wave 1: 10 of 10 committed", "wave 2: 1 failed")
    assert (one.failures, two.failures) == ((), (failure,))


def test_waves_that_never_opened_and_rollouts_that_were_undone_have_no_verdict() -> None:
    assert first(rollout(), status(state="waiting")).checks == ()
    assert first(rollout(state="undone"), status(committed=10)).checks == ()
