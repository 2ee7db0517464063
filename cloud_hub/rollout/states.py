"""Where a device stands in a rollout: the hub's own words, and the last words a device reports.

Everything between the offer and a final word (downloading, probation and so on)
is the device's business and is kept as it says it.
"""

# said by the hub
WAITING = "waiting"  # its wave has not opened
OFFERED = "offered"  # a directive is out, nothing came back yet
SILENT = "silent"  # no final word within the plan's timeout
WITHDRAWN = "withdrawn"  # retired or without a key when its turn came
RETURNING = "returning"  # is to go back; the directive is not out yet
KEPT = "kept"  # was to go back and stays: the reason says why

# final words of a device, from its reports
COMMITTED = "committed"  # runs the release, probation passed: the only success
ROLLED_BACK = "rolled-back"
REFUSED = "refused"
FAILED = "failed"

FAILURES = frozenset({ROLLED_BACK, REFUSED, FAILED})
FINAL = FAILURES | {COMMITTED}
SETTLED = FINAL | {SILENT, WITHDRAWN, KEPT}
UNOFFERED = frozenset({WAITING, WITHDRAWN})
