"""What `andon edge status` and `andon edge updates` say of the updates, as people read it."""

from edge_agent.updates_text import device_lines, history_lines, standing_lines

ROW = {
    "use_case": "motor-health",
    "running": "motor-health/1",
    "state": "deferred",
    "since": "2026-11-27T10:00:00.000Z",
    "until": "2026-11-28T01:00:00.000Z",
    "directive": {"sequence": 17, "release": "motor-health/3"},
    "reason": "outside of sat 02:00-06:00",
    "failures": {"5": {"release": "motor-health/2", "reason": "it said \x1b[2Jnothing"}},
    "steps": [
        {
            "time": "2026-11-27T10:00:00.000Z", "directive_sequence": 17, "release": "motor-health/3",
            "state": "deferred", "event": "deferred", "reason": "outside of sat 02:00-06:00",
        }
    ],
}  # fmt: skip
NOTHING = {
    "use_case": "pump-wear", "running": "", "state": "idle", "since": "", "until": "", "directive": None,
    "reason": "", "failures": {}, "steps": [],
}  # fmt: skip
STANDING = (
    "motor-health runs motor-health/1; deferred since 2026-11-27T10:00:00.000Z until 2026-11-28T01:00:00.000Z, "
    "directive 17 to motor-health/3: outside of sat 02:00-06:00"
)
FAILED = "  failed: directive 5 to motor-health/2: it said ?[2Jnothing"


def test_the_status_says_where_each_use_case_stands_and_why():
    updates = {"use_cases": [ROW, NOTHING], "reports_waiting": 2, "turned_away": "a stranger's"}
    assert list(standing_lines(updates)) == [
        STANDING,
        FAILED,
        "pump-wear runs nothing; idle",
        "turned away: a stranger's",
        "2 reports wait to be stored for the hub",
    ]


def test_the_history_says_how_it_came_to_that():
    assert list(history_lines({"use_cases": [ROW]})) == [
        STANDING,
        "  2026-11-27T10:00:00.000Z  directive 17 to motor-health/3  deferred (deferred): outside of sat 02:00-06:00",
        FAILED,
    ]


def test_when_a_device_may_be_changed_is_told_where_that_is_not_at_any_time():
    windows = {"windows": ["sat 02:00-06:00"], "zone": "UTC", "opens": "", "critical": ""}
    assert list(device_lines(windows | {"windows": []})) == []
    assert list(device_lines(windows)) == ["windows   sat 02:00-06:00 (UTC), open now"]
    closed = windows | {
        "opens": "2026-11-28T01:00:00.000Z",
        "critical": "speed of press-04-pump-1 is above 100",
    }
    assert list(device_lines(closed)) == [
        "windows   sat 02:00-06:00 (UTC), open again at 2026-11-28T01:00:00.000Z",
        "critical  speed of press-04-pump-1 is above 100",
    ]
