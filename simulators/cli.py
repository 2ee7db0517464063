"""``andon sim``: parse, call, print. Long-running commands print one ready line and serve until SIGTERM."""

import json
from collections.abc import Mapping
from typing import Any

import typer

from simulators import options
from simulators.errors import SettingError
from simulators.faults import Spoiling, spoil_model
from simulators.fleet import Fleet
from simulators.fleet import Request as FleetRequest
from simulators.fleet_faults import Faults, share
from simulators.fleet_updates import Pace
from simulators.fleet_world import Kind
from simulators.motor_pump_variety import Erosion
from simulators.plant import Plant
from simulators.plant_truth import log_book, truth_lines
from simulators.record_cli import record_app
from simulators.recorded_table import Layout
from simulators.replaying import Request, Speed, prepare
from simulators.schedule import plan
from simulators.serving import Place, Service
from simulators.truth import Truth
from wire.clock import Clock

sim_app = typer.Typer(
    help="Machines that do not exist, and recordings of some that did.", no_args_is_help=True
)
sim_app.add_typer(record_app, name="record")


@sim_app.command()
def machine(
    *,
    devices: options.Devices,
    truth: options.TruthDir,
    socket_dir: options.SocketDir = None,
    tcp: options.Tcp = "",
    machines_per_device: options.MachinesEach = 2,
    seed: options.Seed = 1,
    life_days: options.LifeDays = 20.0,
    spread: options.Spread = 1.0,
    healthy: options.Healthy = "0",
    erosion: options.ErosionFelt = Erosion.FAINT,
    shift: options.ShiftAt = "",
    interval: options.Interval = None,
    window_every: options.WindowEvery = None,
    clock: options.ClockText = "",
    as_json: options.AsJson = False,
) -> None:
    """Run motor-pump sets to failure, and serve what their sensors say to agents."""
    going_by, kept = Clock.parse(clock), Truth(truth)
    schedule = plan(going_by, begin_us=_begin(going_by, kept), interval_s=interval, window_s=window_every)
    plant = Plant(
        seed=seed,
        devices=options.names(devices),
        machines_per_device=machines_per_device,
        life_days=life_days,
        variety=options.variety(spread=spread, healthy=healthy, erosion=erosion, shift=shift),
        schedule=schedule,
    )
    _serve_plant(plant, going_by, kept, Place(socket_dir=socket_dir, tcp_host=tcp), as_json=as_json)


@sim_app.command()
def replay(
    *,
    kind: options.RecordingKind,
    path: options.RecordingPath,
    devices: options.Devices,
    truth: options.TruthDir,
    socket_dir: options.SocketDir = None,
    tcp: options.Tcp = "",
    speed: options.ReplaySpeed = Speed.MAX,
    step: options.Step = None,
    length: options.Length = 2048,
    keep_time: options.KeepTime = False,
    first_position: options.FirstPosition = 1,
    time_column: options.TimeColumn = "",
    machine_column: options.MachineColumn = "",
    machine_class: options.MachineClass = "recorded",
    feature_set: options.FeatureSet = "",
    unit: options.Units = None,
    clock: options.ClockText = "",
    as_json: options.AsJson = False,
) -> None:
    """Feed recorded data to agents as if it happened beside them."""
    layout = Layout(
        time_column=time_column,
        machine_column=machine_column,
        machine_class=machine_class,
        feature_set=feature_set,
        units=options.units(unit),
    )
    request = Request(
        kind=kind, path=path, devices=options.names(devices), speed=speed, step_s=step, length=length,
        keep_time=keep_time, first_position=first_position, layout=layout,
    )  # fmt: skip
    place = Place(socket_dir=socket_dir, tcp_host=tcp)
    _serve_recording(request, Clock.parse(clock), Truth(truth), place, as_json=as_json)


@sim_app.command()
def truth(*, truth: options.TruthDir, until: options.Until, as_json: options.AsJson = False) -> None:
    """What a maintenance engineer would have logged about simulated machines by TIME."""
    stored = Truth(truth).stored()
    if stored is None:
        raise SettingError(f"expected the truth of simulated machines in {truth}, found none")
    for line in log_book(Plant.from_fields(stored).sources(), options.moment(until)):
        text = "  ".join(line[name] for name in ("time", "machine", "kind", "note"))
        typer.echo(json.dumps(line) if as_json else text)


@sim_app.command()
def spoil(
    *,
    model: options.ModelFile,
    out: options.SpoiledFile,
    seed: options.Seed = 1,
    how: options.How = Spoiling.RANGE,
    output: options.OutputName = "",
) -> None:
    """Make a model that loads and runs and is wrong, to prove that a device undoes it."""
    typer.echo(f"{out}: {spoil_model(model, out, seed=seed, how=how, output=output)}")


@sim_app.command()
def fleet(
    *,
    devices: options.FleetSize,
    state: options.FleetState,
    hub: options.HubUrl = "",
    tokens: options.Tokens = None,
    processes: options.Processes = 2,
    profile: options.FleetProfile = "generic",
    target: options.FleetTarget = "cpu",
    machine_class: options.FleetClass = "motor-pump",
    feature_set: options.FleetFeatures = "vibration-trend/2",
    fail: options.Fail = "0",
    refuse: options.Refuse = "0",
    silent: options.Silence = "0",
    slow: options.Slow = 0.0,
    fail_release: options.FailRelease = None,
    pace: options.StatePace = 1.0,
    probation: options.Probation = 5.0,
    seed: options.Seed = 1,
    clock: options.ClockText = "",
    as_json: options.AsJson = False,
) -> None:
    """Run devices without machines: each enrols, connects, follows what is signed for it and reports."""
    faults = Faults(
        seed=seed,
        fail=share(fail),
        refuse=share(refuse),
        silent=share(silent),
        slow_s=slow,
        fail_releases=tuple(fail_release or ()),
    )
    request = FleetRequest(
        devices=devices,
        state=state,
        url=hub,
        tokens=tokens,
        processes=processes,
        kind=Kind(profile=profile, target=target, machine_class=machine_class, feature_set=feature_set),
        faults=faults,
        pace=Pace(state_s=pace, probation_s=probation),
        clock=str(Clock.parse(clock)),
    )
    counts = Fleet(request, ready=lambda found: _fleet_ready(found, as_json=as_json), tell=_tell).run()
    ended = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "nothing happened"
    typer.echo(json.dumps({"ended": counts}, sort_keys=True) if as_json else ended)


def _serve_plant(plant: Plant, clock: Clock, kept: Truth, place: Place, *, as_json: bool) -> None:
    addresses = place.addresses(plant.devices)
    kept.claim(plant.to_fields())
    sources = plant.sources()
    Service(
        sources=sources,
        addresses=addresses,
        clock=clock,
        truth=kept,
        ready=lambda fields: _show(fields, as_json=as_json),
        tell=_tell,
        note=lambda: kept.write_lines("failures.jsonl", truth_lines(sources, clock.now_us())),
    ).run()


def _serve_recording(request: Request, clock: Clock, kept: Truth, place: Place, *, as_json: bool) -> None:
    addresses = place.addresses(request.devices)
    recording, sources = prepare(request, clock, kept)
    bad, missing = recording.bad_rows, recording.missing_values
    if bad or missing:
        _tell(f"{request.path}: left out {bad} bad rows and {missing} missing values")
    found = {
        "bad_rows": bad,
        "missing_values": missing,
        "last_positions": {device: source.last_position for device, source in sources.items()},
    }
    Service(
        sources=sources,
        addresses=addresses,
        clock=clock,
        truth=kept,
        ready=lambda fields: _show({**fields, **found}, as_json=as_json),
        tell=_tell,
    ).run()


def _begin(clock: Clock, truth: Truth) -> int:
    """A scaled clock says where history begins; on the real one it is the first start."""
    if clock.factor > 1:
        return clock.start_us
    stored = truth.stored() or {}
    return int(stored.get("begin_us", clock.now_us()))


def _show(fields: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(fields, sort_keys=True))
        return
    for device, address in fields["addresses"].items():
        typer.echo(f"{device}  {address}  {', '.join(fields['machines'][device])}")
    typer.echo("serving until Ctrl-C")


def _fleet_ready(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, sort_keys=True))
        return
    drawn = ", ".join(f"{len(names)} {fault}" for fault, names in found["faults"].items() if names)
    typer.echo(f"{found['devices']} devices connected{f' ({drawn})' if drawn else ''}; serving until Ctrl-C")


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)
