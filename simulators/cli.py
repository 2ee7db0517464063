"""``andon sim``: parse, call, print. Long-running commands print one ready line and serve until SIGTERM."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from simulators.errors import SettingError
from simulators.faults import Spoiling, spoil_model
from simulators.plant import Plant
from simulators.plant_truth import log_book, truth_lines
from simulators.recorded_table import Layout
from simulators.replaying import Kind, Request, Speed, prepare
from simulators.schedule import plan
from simulators.serving import Place, Service
from simulators.truth import Truth
from wire.clock import Clock, to_us

sim_app = typer.Typer(
    help="Machines that do not exist, and recordings of some that did.", no_args_is_help=True
)

Devices = Annotated[str, typer.Option(help="Names of the devices to feed, with commas between.")]
SocketDir = Annotated[Path | None, typer.Option(help="Folder for a Unix socket a device.")]
Tcp = Annotated[str, typer.Option(metavar="HOST", help="Listen on free ports of this address instead.")]
TruthDir = Annotated[Path, typer.Option(help="Where to keep what really happened.")]
ClockText = Annotated[
    str, typer.Option(envvar="ANDON_CLOCK", metavar="START,FACTOR[,ANCHOR]", help="Clock to go by.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON instead of text.")]


@sim_app.command()
def machine(
    *,
    devices: Devices,
    truth: TruthDir,
    socket_dir: SocketDir = None,
    tcp: Tcp = "",
    machines_per_device: Annotated[int, typer.Option(help="Motor-pump sets beside each device.")] = 2,
    seed: Annotated[int, typer.Option(help="The same seed, the same machines and the same luck.")] = 1,
    life_days: Annotated[float, typer.Option(help="Median time to failure, in days.")] = 20.0,
    interval: Annotated[
        float | None, typer.Option(help="Clock seconds between readings; by the clock's factor if left out.")
    ] = None,
    window_every: Annotated[
        float | None, typer.Option(help="Clock seconds between windows of vibration.")
    ] = None,
    clock: ClockText = "",
    as_json: AsJson = False,
) -> None:
    """Run motor-pump sets to failure, and serve what their sensors say to agents."""
    going_by, kept = Clock.parse(clock), Truth(truth)
    schedule = plan(going_by, begin_us=_begin(going_by, kept), interval_s=interval, window_s=window_every)
    plant = Plant(
        seed=seed,
        devices=_names(devices),
        machines_per_device=machines_per_device,
        life_days=life_days,
        schedule=schedule,
    )
    addresses = Place(socket_dir=socket_dir, tcp_host=tcp).addresses(plant.devices)
    kept.claim(plant.to_fields())
    sources = plant.sources()
    Service(
        sources=sources,
        addresses=addresses,
        clock=going_by,
        truth=kept,
        ready=lambda fields: _show(fields, as_json),
        tell=_tell,
        note=lambda: kept.write_lines("failures.jsonl", truth_lines(sources, going_by.now_us())),
    ).run()


@sim_app.command()
def replay(
    *,
    kind: Annotated[Kind, typer.Argument(help="What kind of recording it is.")],
    path: Annotated[Path, typer.Argument(help="The file, or for skab a folder of them.")],
    devices: Devices,
    truth: TruthDir,
    socket_dir: SocketDir = None,
    tcp: Tcp = "",
    speed: Annotated[
        Speed, typer.Option(help="max: it has just ended; paced: it begins now and goes by the clock.")
    ] = Speed.MAX,
    step: Annotated[
        float | None, typer.Option(help="Seconds between readings where the recording has no times [3600].")
    ] = None,
    length: Annotated[int, typer.Option(help="Samples a window, where there are waveforms.")] = 2048,
    keep_time: Annotated[
        bool, typer.Option("--keep-time", help="Leave the recorded times as they are.")
    ] = False,
    first_position: Annotated[
        int, typer.Option(help="For agents that have read another recording: its last position and 1.")
    ] = 1,
    time_column: Annotated[str, typer.Option(help="Tables: the column of times.")] = "",
    machine_column: Annotated[str, typer.Option(help="Tables: the column that names the machine.")] = "",
    machine_class: Annotated[str, typer.Option(help="Tables: the class of the machines.")] = "recorded",
    feature_set: Annotated[str, typer.Option(help="Tables: the feature set, such as trend/1.")] = "",
    unit: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=UNIT", help="Tables: UCUM unit of a column.")
    ] = None,
    clock: ClockText = "",
    as_json: AsJson = False,
) -> None:
    """Feed recorded data to agents as if it happened beside them."""
    layout = Layout(
        time_column=time_column,
        machine_column=machine_column,
        machine_class=machine_class,
        feature_set=feature_set,
        units=dict(_unit(text) for text in unit or []),
    )
    request = Request(
        kind=kind,
        path=path,
        devices=_names(devices),
        speed=speed,
        step_s=step,
        length=length,
        keep_time=keep_time,
        first_position=first_position,
        layout=layout,
    )
    going_by, kept = Clock.parse(clock), Truth(truth)
    addresses = Place(socket_dir=socket_dir, tcp_host=tcp).addresses(request.devices)
    recording, sources = prepare(request, going_by, kept)
    if recording.bad_rows or recording.missing_values:
        _tell(f"{path}: left out {recording.bad_rows} bad rows and {recording.missing_values} missing values")
    counts = {"bad_rows": recording.bad_rows, "missing_values": recording.missing_values}
    last = {device: source.last_position for device, source in sources.items()}
    Service(
        sources=sources,
        addresses=addresses,
        clock=going_by,
        truth=kept,
        ready=lambda fields: _show({**fields, **counts, "last_positions": last}, as_json),
        tell=_tell,
    ).run()


@sim_app.command()
def truth(
    truth: TruthDir,
    until: Annotated[str, typer.Option(metavar="TIME", help="Up to then (ISO 8601).")],
    as_json: Annotated[bool, typer.Option("--json", help="Label lines, one JSON object each.")] = False,
) -> None:
    """What a maintenance engineer would have logged about simulated machines by TIME."""
    kept = Truth(truth)
    stored = kept.stored()
    if stored is None:
        raise SettingError(f"expected the truth of simulated machines in {truth}, found none")
    for line in log_book(Plant.from_fields(stored).sources(), _moment(until)):
        text = (
            json.dumps(line)
            if as_json
            else f"{line['time']}  {line['machine']}  {line['kind']}  {line['note']}"
        )
        typer.echo(text)


@sim_app.command()
def spoil(
    model: Annotated[Path, typer.Argument(help="An exported ONNX model.")],
    out: Annotated[Path, typer.Option(help="Where to write the spoiled copy.")],
    seed: Annotated[int, typer.Option(help="Draws how wrong it gets.")] = 1,
    how: Annotated[Spoiling, typer.Option(help="In which way.")] = Spoiling.RANGE,
    output: Annotated[str, typer.Option(help="The graph output to spoil [remaining_life].")] = "",
) -> None:
    """Make a model that loads and runs and is wrong, to prove that a device undoes it."""
    typer.echo(f"{out}: {spoil_model(model, out, seed=seed, how=how, output=output)}")


def _begin(clock: Clock, truth: Truth) -> int:
    """A scaled clock says where history begins; on the real one it is the first start."""
    if clock.factor > 1:
        return clock.start_us
    stored = truth.stored() or {}
    return int(stored.get("begin_us", clock.now_us()))


def _moment(text: str) -> int:
    """Microseconds of an ISO 8601 time; one without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingError(f"expected a time like 2026-09-01T00:00:00Z, got {text!r}") from error
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _unit(text: str) -> tuple[str, str]:
    column, _, unit = text.rpartition("=")
    if not column or not unit:
        raise SettingError(f"expected --unit COLUMN=UNIT, got {text!r}")
    return column, unit


def _show(fields: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(fields, sort_keys=True))
        return
    for device, address in fields["addresses"].items():
        typer.echo(f"{device}  {address}  {', '.join(fields['machines'][device])}")
    typer.echo("serving until Ctrl-C")


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)
