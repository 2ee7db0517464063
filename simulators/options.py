"""The options of ``andon sim``, each with its help, so that a command reads as a list of names."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from simulators.errors import SettingError
from simulators.faults import Spoiling
from simulators.fleet_faults import share
from simulators.motor_pump_variety import Erosion, Shift, Variety
from simulators.replaying import Kind, Speed
from wire.clock import to_us

Devices = Annotated[str, typer.Option(help="Names of the devices to feed, with commas between.")]
SocketDir = Annotated[Path | None, typer.Option(help="Folder for a Unix socket a device.")]
Tcp = Annotated[str, typer.Option(metavar="HOST", help="Listen on free ports of this address instead.")]
TruthDir = Annotated[Path, typer.Option(help="Where what really happened is kept.")]
ClockText = Annotated[
    str, typer.Option(envvar="ANDON_CLOCK", metavar="START,FACTOR[,ANCHOR]", help="Clock to go by.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, an object a line, instead of text.")]
Seed = Annotated[int, typer.Option(help="The same seed, the same outcome.")]

MachinesEach = Annotated[int, typer.Option(help="Motor-pump sets beside each device.")]
LifeDays = Annotated[float, typer.Option(help="Median time to failure, in days.")]
Interval = Annotated[
    float | None, typer.Option(help="Clock seconds between readings; by the clock's factor if left out.")
]
WindowEvery = Annotated[float | None, typer.Option(help="Clock seconds between windows of vibration.")]
Spread = Annotated[
    float, typer.Option(help="Ranges of traits, conditions and lives, as a multiple of the usual ones.")
]
Healthy = Annotated[
    str, typer.Option(help="Share of the lives that a planned overhaul ends before any damage, as 30%.")
]
ErosionFelt = Annotated[
    Erosion, typer.Option(help="How much of an impeller's wear shows: felt is what real ones do.")
]
ShiftAt = Annotated[
    str,
    typer.Option(
        metavar="TIME=FACTOR",
        help="From TIME on the plant asks FACTOR (1 to 1.5) times as much of every machine, up to 1.25 of "
        "what it is rated for; they wear faster by the cube of it.",
    ),
]
Until = Annotated[str, typer.Option(metavar="TIME", help="Up to then (ISO 8601).")]

Out = Annotated[str, typer.Option(help="The file to write; - for standard output.")]
Begin = Annotated[str, typer.Option(metavar="TIME", help="When the recording begins (ISO 8601).")]
Days = Annotated[float, typer.Option(help="How long it lasts.")]
RecordInterval = Annotated[float, typer.Option(help="Seconds between readings.")]
RecordWindow = Annotated[
    float | None, typer.Option(help="Seconds between windows of vibration; left out: with every reading.")
]
RecordDevices = Annotated[str, typer.Option(help="Names of the devices, with commas between.")]

RecordingKind = Annotated[Kind, typer.Argument(help="What kind of recording it is.")]
RecordingPath = Annotated[Path, typer.Argument(help="The file, or for skab a folder of them.")]
ReplaySpeed = Annotated[
    Speed, typer.Option(help="max: it has just ended; paced: it begins now and goes by the clock.")
]
Step = Annotated[
    float | None,
    typer.Option(help="Seconds between readings where the recording has no times; an hour for cmapss."),
]
Length = Annotated[int, typer.Option(help="Samples a window, where there are waveforms.")]
KeepTime = Annotated[bool, typer.Option("--keep-time", help="Leave the recorded times as they are.")]
FirstPosition = Annotated[
    int, typer.Option(help="For agents that have read another recording: its last position and 1.")
]
TimeColumn = Annotated[str, typer.Option(help="Tables: the column of times.")]
MachineColumn = Annotated[str, typer.Option(help="Tables: the column that names the machine.")]
MachineClass = Annotated[str, typer.Option(help="Tables: the class of the machines.")]
FeatureSet = Annotated[str, typer.Option(help="Tables: the feature set, such as trend/1.")]
Units = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN=UNIT", help="Tables: UCUM unit of a column.")
]

ModelFile = Annotated[Path, typer.Argument(help="An exported ONNX model.")]
SpoiledFile = Annotated[Path, typer.Option(help="Where to write the spoiled copy.")]
How = Annotated[Spoiling, typer.Option(help="In which way it gets wrong.")]
OutputName = Annotated[str, typer.Option(help="The graph output to spoil; remaining_life if left out.")]

FleetSize = Annotated[int, typer.Option("--devices", help="How many devices, the first by name.")]
FleetState = Annotated[Path, typer.Option(help="Where the fleet keeps its keys, certificates and memory.")]
HubUrl = Annotated[str, typer.Option("--hub", help="The hub's device listener; needed to enrol.")]
Tokens = Annotated[
    Path | None, typer.Option(help="Tokens as `andon device add --tokens-file` writes them; to enrol.")
]
Processes = Annotated[int, typer.Option(help="Processes that share the devices.")]
FleetProfile = Annotated[str, typer.Option(help="The profile that every device says it has.")]
FleetTarget = Annotated[str, typer.Option(help="The compile target that every device says it has.")]
FleetClass = Annotated[str, typer.Option(help="The class of the machine beside each device.")]
FleetFeatures = Annotated[str, typer.Option(help="The feature set of the machine beside each device.")]
Fail = Annotated[str, typer.Option(help="Share of the devices that fail every probation, as 1%.")]
Refuse = Annotated[str, typer.Option(help="Share of the devices that refuse every release.")]
Silence = Annotated[str, typer.Option(help="Share of the devices that accept and say no more.")]
Slow = Annotated[float, typer.Option(help="Seconds that the slowest device takes longer to download.")]
FailRelease = Annotated[
    list[str] | None, typer.Option(metavar="RELEASE", help="Every device fails with this one; repeatable.")
]
StatePace = Annotated[float, typer.Option(help="Seconds a state takes, give or take half of it.")]
Probation = Annotated[float, typer.Option(help="Seconds a probation takes, give or take half of it.")]


def moment(text: str) -> int:
    """Microseconds of an ISO 8601 time; one without a zone is UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingError(f"expected a time like 2026-09-01T00:00:00Z, got {text!r}") from error
    return to_us(read if read.tzinfo else read.replace(tzinfo=UTC))


def variety(*, spread: float, healthy: str, erosion: Erosion, shift: str) -> Variety:
    """What the options of that name ask for."""
    return Variety(spread=spread, healthy=share(healthy), erosion=erosion, shift=_shift(shift))


def _shift(text: str) -> Shift | None:
    if not text:
        return None
    time, _, factor = text.rpartition("=")
    try:
        return Shift(from_us=moment(time), demand=float(factor))
    except ValueError as error:
        raise SettingError(f"expected --shift TIME=FACTOR, got {text!r}") from error


def names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def units(texts: list[str] | None) -> dict[str, str]:
    """By column, what ``--unit COLUMN=UNIT`` says."""
    found = {}
    for text in texts or ():
        column, _, unit = text.rpartition("=")
        if not column or not unit:
            raise SettingError(f"expected --unit COLUMN=UNIT, got {text!r}")
        found[column] = unit
    return found
