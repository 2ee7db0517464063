"""Where a device stands in a rollout: the hub's own words, and the last words a device reports.

Everything between the offer and a final word (downloading, probation and so on)
is the device's business and is kept as it says it. One of those words counts here:
a device that has deferred waits for an hour of its own, as long as its directive holds.
"""

# said by the hub
WAITING = "waiting"  # for its wave, its window, or room under the cap
OFFERED = "offered"  # a directive is out, nothing came back yet
SILENT = "silent"  # no final word by its deadline
WITHDRAWN = "withdrawn"  # retired, pinned or without a key: nothing is asked of it
RETURNING = "returning"  # is to go back; the directive is not out yet
KEPT = "kept"  # was to go back and stays: the reason says why

DEFERRED = "deferred"  # said by a device: verified, and waits for its window or a quiet machine

# final words of a device, from its reports
COMMITTED = "committed"  # runs the release, probation passed: the only success
ROLLED_BACK = "rolled-back"
REFUSED = "refused"
FAILED = "failed"

FAILURES = frozenset({ROLLED_BACK, REFUSED, FAILED})
FINAL = FAILURES | {COMMITTED}
SETTLED = FINAL | {SILENT, WITHDRAWN, KEPT}
IDLE = frozenset({WAITING, RETURNING})  # nothing is under way: the hub has the next word
UNOFFERED = frozenset({WAITING, WITHDRAWN})
