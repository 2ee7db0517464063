"""What a new device needs on disk: a configuration to edit and a systemd unit."""

import grp
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from edge_agent.config import AgentConfig
from edge_agent.errors import ConfigError
from firmware_configs.profiles import profile
from firmware_configs.templates import edge_unit

GPU_GROUPS = ("video", "render")  # whose device nodes a Jetson's GPU and a desktop's are

SAMPLE = """\
# The agent of one device. `andon edge run --config {file}` reads it; unknown settings are refused by name.
device = "{device}"               # unique in the fleet, as `andon device add` named it
state_dir = "{state_dir}"
profile = "{profile}"             # what kind of device this is: `andon doctor` tells

[hub]
url = "{hub_url}"                 # the hub's device listener, https://host:port

[feed]
address = "{feed}"                # where the source of signals listens: unix:/path or tcp:host:port

[outbox]
max_bytes = 1073741824            # what may wait on disk for the hub
when_full = "drop"                # the least precious, told as a gap; or "refuse": stop reading the feed

# [inference]                     # what runs the networks; left out: the best that this device has
# runner = "auto"                 # or the first to try: "onnxruntime-cuda", "onnxruntime-cpu"
# precisions = ["fp16", "fp32"]   # of engines, the best one first
#
# [updates]                       # when another model may be switched to; left out: at any time
# windows = ["sat,sun 02:00-06:00"]
# zone = "Europe/Paris"           # of the windows; left out: as the hub told at enrolment
#
# [[updates.critical]]            # never while a machine does this
# signal = "speed"
# above = 100.0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    device: str
    folder: Path
    state_dir: Path
    hub_url: str
    feed: str
    profile: str
    user: str


def install(plan: Plan, *, force: bool) -> tuple[Path, Path]:
    """Write the configuration and the unit; returns their paths. What is there is kept unless ``force``."""
    file, unit = plan.folder / "agent.toml", plan.folder / "andon-edge.service"
    for path in (file, unit):
        if path.exists() and not force:
            raise ConfigError(f"{path} is there already: --force replaces it")
    text = SAMPLE.format(
        file=file,
        device=plan.device,
        state_dir=plan.state_dir,
        profile=plan.profile,
        hub_url=plan.hub_url,
        feed=plan.feed,
    )
    plan.folder.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    AgentConfig.load(file)  # what is written here is read here
    unit.write_text(
        edge_unit(
            andon=_andon(),
            config=file,
            user=plan.user,
            state_dir=plan.state_dir,
            groups=_groups(plan.profile),
        )
    )
    return file, unit


def _groups(name: str) -> tuple[str, ...]:
    """Those that the agent of a device of this profile needs and this host has."""
    if not profile(name).compute_capabilities:
        return ()
    here = {group.gr_name for group in grp.getgrall()}
    return tuple(group for group in GPU_GROUPS if group in here)


def _andon() -> Path:
    found = shutil.which("andon")
    return Path(found) if found else Path(sys.executable).with_name("andon")
