"""Writes ``andon.json``, the dashboard, out of the ``.sql`` files: ``python docs/grafana/compose.py``.

The texts in these files are what Grafana runs, letter by letter, so whoever reads or changes one reads or
changes SQL and not JSON. The dashboard names no data source of its own: both are variables, chosen where it
is opened.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILE = HERE / "andon.json"
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "${postgres}"}
PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
GRAFANA = {"type": "grafana", "uid": "-- Grafana --"}
WIDTH = 24  # of Grafana's grid

Json = dict[str, Any]

COLOURS = {
    "alarm": "red",
    "watch": "orange",
    "silent": "purple",
    "healthy": "green",
    "no prediction": "text",
    "online": "green",
    "behind": "orange",
    "offline": "red",
    "not enrolled": "text",
    "running": "blue",
    "awaiting": "orange",
    "paused": "orange",
    "done": "green",
    "halted": "red",
    "aborted": "red",
    "undone": "orange",
}


def compose() -> Json:
    """The whole dashboard."""
    panels = _placed([*_plant(), *_machine(), *_fleet(), *_hub()])
    return {
        "__requires": [
            {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "11.0.0"},
            {"type": "datasource", "id": POSTGRES["type"], "name": "PostgreSQL", "version": "1.0.0"},
            {"type": "datasource", "id": PROMETHEUS["type"], "name": "Prometheus", "version": "1.0.0"},
        ],
        "annotations": {"list": [_builtin(), *map(_annotation, ("alarms", "gaps"), ("red", "orange"))]},
        "description": "What fails next, what the devices are doing, and how the hub is.",
        "editable": True,
        "graphTooltip": 1,
        "links": [],
        "panels": panels,
        "refresh": "30s",
        "schemaVersion": 39,
        "tags": ["andon"],
        "templating": {"list": _variables()},
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": "Andon",
        "version": 1,
        "weekStart": "",
    }


def _plant() -> list[Json]:
    return [
        _row("The plant"),
        _stat("Machines by state", "machines_by_state", 8, 6, fields="/^machines$/"),
        _table("What needs somebody first", "plant_risk", 16, 12, colours=True),
        _bars("Alarms opened", "alarms_opened", 8, 6),
        _table("Alarms", "alarms", 24, 8),
    ]


def _machine() -> list[Json]:
    life = _lines("Remaining life of $machine", "remaining_life", 24, 9, band=("at least", "at most"))
    signal = _lines("$signal of $machine", "signal", 12, 7, band=("lowest", "highest"))
    signal |= {"repeat": "signal", "repeatDirection": "h", "maxPerRow": 2}
    return [_row("Machine $machine"), life, signal]


def _fleet() -> list[Json]:
    seconds = [_override(name, unit="s") for name in ("since a batch", "behind", "clock off")]
    share = _override("committed", unit="percent", custom={"cellOptions": {"type": "gauge", "mode": "basic"}})
    share["properties"] += [{"id": "min", "value": 0}, {"id": "max", "value": 100}]
    return [
        _row("Devices and what they send"),
        _stat("Devices by state", "devices_by_state", 8, 6, fields="/^devices$/"),
        _lines("Samples stored", "ingest_rate", 16, 6),
        _table("Furthest behind", "ingest_lag", 12, 9, colours=True, overrides=seconds),
        _table("Offline", "devices_offline", 12, 9),
        _table("Backlog", "backlog", 12, 8),
        _table("Quarantine by reason", "quarantine", 12, 8, overrides=[_override("bytes", unit="bytes")]),
        _table("Rollouts", "rollouts", 24, 8, colours=True, overrides=[share]),
    ]


def _hub() -> list[Json]:
    gauges = (
        ("Machines", "andon_machines"),
        ("Devices online", "andon_devices_online"),
        ("Devices", "andon_devices"),
        ("Alarms open", "andon_alarms_open"),
        ("Incidents open", "andon_incidents_open"),
        ("Quarantined", "andon_quarantined"),
        ("Not stored", "andon_rejected"),
        ("Rollouts running", "andon_rollouts_running"),
    )
    seconds = "sum by (le) (rate(andon_ingest_transaction_seconds_bucket[$__rate_interval]))"
    slow, middle = (f"histogram_quantile({share}, {seconds})" for share in (0.95, 0.5))
    held = (("held", "sum(andon_ingest_held_bytes)"),)
    return [
        _row("The hub, as Prometheus sees it"),
        *(_gauge(title, metric) for title, metric in gauges),
        _graph(
            "Batches",
            (("{{came}}", "sum by (came) (rate(andon_ingest_batches_total[$__rate_interval]))"),),
            "cps",
        ),
        _graph("Samples", (("samples", "sum(rate(andon_ingest_samples_total[$__rate_interval]))"),), "cps"),
        _graph(
            "Not stored, by reason",
            (("{{reason}}", "sum by (reason) (rate(andon_ingest_rejected_total[$__rate_interval]))"),),
            "cps",
        ),
        _graph("Transactions of ingest", (("95 %", slow), ("middle", middle)), "s"),
        _graph("Received and not acknowledged", held, "bytes"),
        _graph("Left to be sent again", (("messages", "sum(andon_ingest_let_go)"),), "short"),
    ]


def _variables() -> list[Json]:
    return [
        _source("postgres", "Database", POSTGRES["type"]),
        _source("prometheus", "Prometheus", PROMETHEUS["type"]),
        _choice("site", "Site", many=True),
        _choice("machine", "Machine", many=False),
        _choice("signal", "Signals", many=True),
    ]


def _source(name: str, label: str, kind: str) -> Json:
    return {
        "type": "datasource",
        "name": name,
        "label": label,
        "query": kind,
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _choice(name: str, label: str, *, many: bool) -> Json:
    query = _sql("variables", name)
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": POSTGRES,
        "query": query,
        "definition": query,
        "current": {"text": ["All"], "value": ["$__all"]} if many else {},
        "hide": 0,
        "includeAll": many,
        "multi": many,
        "options": [],
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 0,
    }


def _builtin() -> Json:
    return {
        "builtIn": 1,
        "datasource": GRAFANA,
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }


def _annotation(name: str, colour: str) -> Json:
    return {
        "datasource": POSTGRES,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "name": name.capitalize(),
        "target": {
            "editorMode": "code",
            "format": "table",
            "rawQuery": True,
            "rawSql": _sql("annotations", name),
            "refId": "Anno",
        },
        "rawQuery": _sql("annotations", name),
    }


def _row(title: str) -> Json:
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "size": (WIDTH, 1)}


def _panel(kind: str, title: str, name: str, wide: int, high: int, *, form: str = "table") -> Json:
    target = {
        "datasource": POSTGRES,
        "editorMode": "code",
        "format": form,
        "rawQuery": True,
        "rawSql": _sql("panels", name),
        "refId": "A",
    }
    return {
        "type": kind,
        "title": title,
        "description": _said(name),
        "datasource": POSTGRES,
        "targets": [target],
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {},
        "size": (wide, high),
    }


def _stat(title: str, name: str, wide: int, high: int, *, fields: str) -> Json:
    panel = _panel("stat", title, name, wide, high)
    panel["options"] = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": [], "fields": fields, "values": True},
        "textMode": "value_and_name",
    }
    panel["fieldConfig"]["defaults"] = {"color": {"mode": "fixed", "fixedColor": "text"}, "min": 0}
    return panel


def _table(
    title: str,
    name: str,
    wide: int,
    high: int,
    *,
    colours: bool = False,
    overrides: list[Json] | None = None,
) -> Json:
    panel = _panel("table", title, name, wide, high)
    panel["options"] = {"cellHeight": "sm", "showHeader": True}
    panel["fieldConfig"] = {"defaults": {"custom": {"align": "auto"}}, "overrides": list(overrides or [])}
    if colours:
        panel["fieldConfig"]["overrides"].append(_of_states())
    return panel


def _lines(title: str, name: str, wide: int, high: int, *, band: tuple[str, str] | None = None) -> Json:
    panel = _panel("timeseries", title, name, wide, high)
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "auto", "spanNulls": False}
    panel["fieldConfig"]["defaults"] = {"custom": custom}
    panel["options"] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "none"},
    }
    if band:
        low, high_name = band
        faint = {"lineWidth": 0}
        panel["fieldConfig"]["overrides"] = [
            _override(low, custom=faint),
            _override(high_name, custom=faint | {"fillBelowTo": low, "fillOpacity": 20}),
        ]
    return panel


def _bars(title: str, name: str, wide: int, high: int) -> Json:
    panel = _lines(title, name, wide, high)
    panel["targets"][0]["format"] = "time_series"
    panel["fieldConfig"]["defaults"]["custom"] |= {"drawStyle": "bars", "fillOpacity": 60}
    panel["interval"] = "10m"
    return panel


def _override(field: str, *, unit: str = "", custom: Json | None = None) -> Json:
    told = [{"id": "unit", "value": unit}] if unit else []
    told += [{"id": f"custom.{key}", "value": value} for key, value in (custom or {}).items()]
    return {"matcher": {"id": "byName", "options": field}, "properties": told}


def _of_states() -> Json:
    words = {word: {"color": colour, "index": n} for n, (word, colour) in enumerate(COLOURS.items())}
    return {
        "matcher": {"id": "byName", "options": "state"},
        "properties": [
            {"id": "mappings", "value": [{"type": "value", "options": words}]},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        ],
    }


def _gauge(title: str, metric: str) -> Json:
    return {
        "type": "stat",
        "title": title,
        "datasource": PROMETHEUS,
        "targets": [{"datasource": PROMETHEUS, "expr": f"max({metric})", "instant": False, "refId": "A"}],
        "fieldConfig": {"defaults": {"color": {"mode": "fixed", "fixedColor": "text"}}, "overrides": []},
        "options": {
            "colorMode": "value",
            "graphMode": "area",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
        "size": (3, 4),
    }


def _graph(title: str, told: tuple[tuple[str, str], ...], unit: str) -> Json:
    targets = [
        {"datasource": PROMETHEUS, "expr": expression, "legendFormat": legend, "refId": chr(65 + number)}
        for number, (legend, expression) in enumerate(told)
    ]
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "spanNulls": False}
    return {
        "type": "timeseries",
        "title": title,
        "datasource": PROMETHEUS,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}},
        "size": (8, 7),
    }


def _placed(panels: list[Json]) -> list[Json]:
    """From left to right, each line as high as its highest panel; a panel that finds no room begins one.

    A shorter panel leaves room for another below it, which the next one of its width takes.
    """
    heights, placed = [0] * WIDTH, []
    for number, panel in enumerate(panels, 1):
        wide, high = panel.pop("size")
        spots = [(max(heights[x : x + wide]), x) for x in range(WIDTH - wide + 1)]
        y, x = min(spots)
        heights[x : x + wide] = [y + high] * wide
        placed.append({"id": number, "gridPos": {"h": high, "w": wide, "x": x, "y": y}, **panel})
    return placed


def _said(name: str) -> str:
    """The comment at the head of a panel's SQL."""
    lines = _sql("panels", name).splitlines()
    head = lines[: next(n for n, line in enumerate(lines) if not line.startswith("--"))]
    return " ".join(line.removeprefix("-- ") for line in head)


def _sql(folder: str, name: str) -> str:
    return (HERE / folder / f"{name}.sql").read_text().rstrip("\n")


if __name__ == "__main__":
    FILE.write_text(json.dumps(compose(), indent=1, ensure_ascii=False) + "\n")
