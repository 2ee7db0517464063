"""The first text of a new use case: complete, valid, and each line says what it decides. Pure."""

from collections.abc import Sequence

from models.declared.machines import Signal
from models.interface import fault_output
from models.use_case import Task, UseCase

LIFE = """\
[life]
measured_in = "time"    # or "readings", where each reading is one cycle of work
unit = "h"              # UCUM, of remaining life
cap = 250.0             # more than this is "long": predictions and errors stop here
least_failures = 10     # lives that ended in one, before training makes sense

[interval]
coverage = 0.9          # share of truths that the interval promises to hold
edges = [0.0, 50.0, 100.0, 150.0, 200.0]  # of predicted life: it is wider or narrower by these

"""
FAULTS = """\
[faults]
classes = [{classes}]   # as failure and verdict labels name them

"""
ANOMALY = """\
[anomaly]
healthy_rows = 400      # first rows of every life that count as sound (of the first, for deviation/1)
edge_share = 0.99       # of sound rows that lie below 1

"""
COMPILE = """\
[compile]
precisions = []         # "fp16", "int8": what GPUs may run beside float32, where it proves to be no worse

"""
ALARMS = {
    "remaining-life": """\
[[alarms]]
output = "remaining_life"
direction = "below"
threshold = 48.0        # this many predictions in a row at or below it open the alarm ...
clear = 72.0            # ... as many above this close it
persistence = 3

""",
    "anomaly": """\
[[alarms]]
output = "anomaly"
direction = "above"
threshold = 1.5         # 1 is the edge of healthy
clear = 1.0
persistence = 3

""",
    "fault-class": """\
[[alarms]]
output = "{first}"
direction = "above"
threshold = 0.9         # probability
clear = 0.5
persistence = 3

""",
}
COSTS = """\
[costs]
currency = "EUR"
failure = 10000.0       # a failure that nobody foresaw
planned = 2000.0        # an intervention in time
false_alarm = 300.0     # somebody came for nothing
"""


def scaffold(
    name: str,
    *,
    task: Task,
    machine_class: str,
    feature_set: str,
    signals: Sequence[Signal],
    faults: Sequence[str] = (),
) -> str:
    """TOML that ``UseCase.parse`` takes as it stands; UseCaseError where the arguments make none.

    ``faults`` are the classes to be told apart, for the tasks that tell any.
    """
    quoted = ", ".join(map(_text, faults))
    parts = [
        f"title = {_text(f'{task} of {machine_class}'.capitalize())}\n",
        f"machine_class = {_text(machine_class)}\n",
        f"feature_set = {_text(feature_set)}\n",
        f"task = {_text(task)}\n",
        f"signals = [  # as every machine has them\n{_signals(signals)}]\n\n",
        LIFE if task == "remaining-life" else "",
        FAULTS.format(classes=quoted) if faults else "",
        "" if task == "remaining-life" else ANOMALY,
        COMPILE,
        ALARMS[task].format(first=fault_output(faults[0]) if faults else ""),
        COSTS,
    ]
    text = "".join(parts)
    UseCase.parse(text, name=name)
    return text


def _signals(signals: Sequence[Signal]) -> str:
    return "".join(
        f"  {{ name = {_text(each.name)}, unit = {_text(each.unit)}"
        f"{'' if each.kind == 'scalar' else f', kind = {_text(each.kind)}'} }},\n"
        for each in signals
    )


def _text(value: str) -> str:
    """A basic string of TOML."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
