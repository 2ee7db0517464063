"""Every page of the console, once: what is drawn in a browser, held against WCAG and pictured for the documents.

A page joins by one line. ``{rollout}`` in a path is the rollout of the seeded plant.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    name: str  # of its pictures
    path: str
    caption: str
    ready: str = "main"  # a selector that is there once the page is drawn
    opens: str = ""  # a selector of what is clicked open before the page is looked at
    by_stranger: bool = False  # seen before signing in
    status: int = 200


DIGEST = "3f9a0c11d2e4" * 5
CHART = "canvas >> nth=4"

PAGES = (
    Page("login", "/login", "Signing in", by_stranger=True),
    Page("plant", "/", "Plant: what needs someone first"),
    Page("plant-empty", "/?state=silent&text=no-such", "Plant: a filter that matches nothing"),
    Page("machine", "/machines/pump-1?span=7d", "Machine: remaining life, signals, alarms, history", CHART),
    Page(
        "machine-judge",
        "/machines/pump-1?span=7d",
        "Machine: judging an alarm",
        CHART,
        "details[id^=judge] > summary",
    ),
    Page("devices", "/devices", "Devices: state, agent, clock, backlog"),
    Page("device", "/devices/cell-1", "Device: releases, outboxes, what happened"),
    Page("device-retire", "/devices/cell-1/retire", "Device: what retiring it will do"),
    Page("enrol", "/enrol", "Enrolling a device"),
    Page("search", "/search?text=pump", "Search by name"),
    Page("models", "/models", "Models: champion and candidates"),
    Page("model", "/models/motor-health/2", "Model: lineage, gate, card"),
    Page("model-use-case", "/models/motor-health", "Models: one use case"),
    Page("model-compare", "/models/motor-health/compare?left=1&right=2", "Models: two versions side by side"),
    Page("model-lineage", "/models/motor-health/2/lineage", "Model: where it comes from, and where it went"),
    Page("model-card", "/models/motor-health/2/card", "Model: its card"),
    Page("model-approve", "/models/motor-health/3/approve", "Model: what approving it will do"),
    Page("model-refuse", "/models/motor-health/3/refuse", "Model: what refusing it will do"),
    Page("model-train", "/models/motor-health/train", "Models: asking for a training"),
    Page("rollouts", "/rollouts", "Rollouts"),
    Page("rollout-new", "/rollouts/new?release=motor-health/2", "Starting a rollout: the form", "#plan"),
    Page(
        "rollout-preview",
        "/rollouts/new/preview?release=motor-health/2&waves=1,+50%25,+100%25&soak=24&supersede=yes",
        "Starting a rollout: the preview",
        "#who",
    ),
    Page("rollout", "/rollouts/{rollout}", "Rollout: waves, devices, decisions"),
    Page(
        "rollout-undo", "/rollouts/{rollout}", "Rollout: what undoing it will do", opens="#act-undo > summary"
    ),
    Page("data", "/data", "Data: datasets"),
    Page("dataset", f"/data/datasets/{DIGEST}", "Dataset: rows, quality, who learnt from it"),
    Page("dataset-make", "/data/make", "Making a dataset"),
    Page("dataset-lineage", f"/models/lineage/dataset/{DIGEST}", "Dataset: what came of it"),
    Page("quarantine", "/data/quarantine", "Quarantine: what was not stored, and why"),
    Page("quarantined", "/data/quarantine/1", "Quarantine: one message"),
    Page("storage", "/data/storage", "Storage and retention"),
    Page("jobs", "/jobs", "Jobs: what runs, waits and failed"),
    Page("audit", "/audit", "Audit: who decided what"),
    Page("audit-entry", "/audit/1", "Audit: one entry"),
    Page("audit-trace", "/audit/trace/trace-2", "Audit: one trace, told as a story"),
    Page("api", "/api", "The API, to read"),
    Page("people", "/people", "People and their roles"),
    Page("account", "/account", "Account: sessions and tokens"),
    Page("problem", "/machines/no-such", "What is not here", status=404),
)
