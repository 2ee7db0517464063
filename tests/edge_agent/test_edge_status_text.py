"""What `andon edge status` prints: every fact in the file, whichever version of the agent wrote it."""

import copy
import json

import pytest

from edge_agent import status, status_text

WHOLE = {
    "alive": True,
    "device": "press-04",
    "site": "lyon",
    "state": "running",
    "feed": {"connected": True, "reason": ""},
    "uplink": {"connected": False, "reason": "no route to host"},
    "outbox": {"batches": 3, "bytes": 100, "max_bytes": 1000},
    "counters": {"samples": 42, "left_out": 1},
    "releases": {"motor-health": "motor-health/2"},
    "updates": {
        "use_cases": [],
        "turned_away": "",
        "reports_waiting": 2,
        "deferrals": {"windows": [], "zone": "UTC", "opens": "", "critical": "casting"},
    },
    "certificate": {"ends": "2027-01-31T10:20:30+00:00", "trouble": "no hub"},
    "last_error": "disk slow",
}
LINES = [
    "press-04 (lyon): running",
    "feed      connected",
    "hub       no route to host",
    "outbox    3 batches, 100 of 1000 bytes",
    "samples   42, left out 1",
    "releases  motor-health/2",
    "update    2 reports wait to be stored for the hub",
    "critical  casting",
    "identity  certificate ends 2027-01-31 10:20 UTC, not renewed: no hub",
    "trouble   disk slow",
]


def test_a_whole_status_is_a_line_a_fact():
    assert status_text.lines(WHOLE) == LINES


@pytest.mark.parametrize(
    ("path", "without"),
    [
        (("feed",), ["feed "]),
        (("outbox", "max_bytes"), ["outbox "]),
        (("counters", "left_out"), ["samples "]),
        (("updates",), ["update ", "critical "]),
        (("updates", "deferrals"), ["critical "]),
        (("certificate",), ["identity "]),
        (("last_error",), ["trouble "]),
    ],
)
def test_a_status_of_another_version_lacks_only_the_lines_that_rest_on_what_is_missing(path, without):
    found = copy.deepcopy(WHOLE)
    *parents, last = path
    place = found
    for name in parents:
        place = place[name]
    del place[last]
    assert status_text.lines(found) == [line for line in LINES if not line.startswith(tuple(without))]


def test_what_says_hardly_anything_still_says_whether_it_runs():
    assert status_text.lines({"alive": False}) == ["a device (of no known site): not running"]


def test_a_status_that_is_no_object_is_one_sentence(tmp_path):
    (tmp_path / status.FILE).write_text(json.dumps([1]))
    with pytest.raises(status.StatusError, match="expected one JSON object, got list"):
        status.read(tmp_path)
