"""``andon sim record``: the feeds of machines as a file or a pipe, for whoever studies without agents."""

import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import typer

from simulators import options
from simulators.errors import SettingError
from simulators.motor_pump_variety import Erosion
from simulators.plant import Plant
from simulators.plant_truth import log_book, truth_lines
from simulators.recorded_table import Layout
from simulators.recorder import Recordable, record
from simulators.replaying import LABELS, Request, Speed, share
from simulators.schedule import plan
from simulators.truth import Truth
from wire.clock import MICROSECONDS, Clock

BEGIN = "2026-01-01T00:00:00Z"
DAY_S = 86_400

record_app = typer.Typer(
    help="Write what agents would get from the feeds as one stream; the truth goes elsewhere.",
    no_args_is_help=True,
)


@record_app.command()
def machine(
    *,
    out: options.Out,
    truth: options.TruthDir,
    devices: options.RecordDevices = "sim-1",
    machines_per_device: options.MachinesEach = 2,
    seed: options.Seed = 1,
    life_days: options.LifeDays = 20.0,
    spread: options.Spread = 1.0,
    healthy: options.Healthy = "0",
    erosion: options.ErosionFelt = Erosion.FAINT,
    shift: options.ShiftAt = "",
    begin: options.Begin = BEGIN,
    days: options.Days = 30.0,
    interval: options.RecordInterval = 3600.0,
    window_every: options.RecordWindow = None,
    as_json: options.AsJson = False,
) -> None:
    """Record motor-pump sets that run to failure."""
    kept, begin_us = Truth(truth), options.moment(begin)
    if not 0 < days <= 10_000:
        raise SettingError(f"expected --days above 0 and up to 10,000, got {days:g}")
    plant = Plant(
        seed=seed,
        devices=options.names(devices),
        machines_per_device=machines_per_device,
        life_days=life_days,
        variety=options.variety(spread=spread, healthy=healthy, erosion=erosion, shift=shift),
        schedule=plan(
            Clock.real(), begin_us=begin_us, interval_s=interval, window_s=window_every or interval
        ),
    )
    kept.claim(plant.to_fields())
    sources, until_us = plant.sources(), begin_us + round(days * DAY_S * MICROSECONDS)
    kept.write_lines("failures.jsonl", truth_lines(sources, until_us))
    kept.write_lines(LABELS, log_book(sources, until_us))
    _record(sources, out, until_us=until_us, as_json=as_json)


@record_app.command()
def replay(
    *,
    kind: options.RecordingKind,
    path: options.RecordingPath,
    out: options.Out,
    truth: options.TruthDir,
    devices: options.RecordDevices = "sim-1",
    begin: options.Begin = BEGIN,
    step: options.Step = None,
    length: options.Length = 2048,
    keep_time: options.KeepTime = False,
    time_column: options.TimeColumn = "",
    machine_column: options.MachineColumn = "",
    machine_class: options.MachineClass = "recorded",
    feature_set: options.FeatureSet = "",
    unit: options.Units = None,
    as_json: options.AsJson = False,
) -> None:
    """Record what a replay of recorded data would feed."""
    layout = Layout(
        time_column=time_column,
        machine_column=machine_column,
        machine_class=machine_class,
        feature_set=feature_set,
        units=options.units(unit),
    )
    request = Request(
        kind=kind, path=path, devices=options.names(devices), speed=Speed.MAX, step_s=step, length=length,
        keep_time=keep_time, first_position=1, layout=layout,
    )  # fmt: skip
    recording = request.read()
    if not keep_time:
        recording = recording.moved(begin_us=options.moment(begin))
    _record(share(request, recording, Truth(truth)), out, until_us=None, as_json=as_json)


def _record(sources: Mapping[str, Recordable], out: str, *, until_us: int | None, as_json: bool) -> None:
    piped = out == "-"
    try:
        with nullcontext(sys.stdout.buffer) if piped else Path(out).open("wb") as file:
            found = asdict(record(sources, file, until_us=until_us))
            file.flush()
    except OSError as error:
        raise SettingError(f"cannot write the recording to {out}: {error}") from error
    told = ", ".join(f"{count} {name}" for name, count in found.items())
    typer.echo(json.dumps(found) if as_json else f"{out}: {told}", err=piped)
