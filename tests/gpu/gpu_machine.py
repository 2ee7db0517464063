"""What this host is and has, found by asking it: GPU, driver, CUDA, TensorRT, Numba, and what is missing.

Every library is asked in a process of its own, so that one that crashes here costs its own line only.
"""

import platform
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firmware_configs.host import ask_python

REPOSITORY = Path(__file__).parents[2]
EXTRA = "pip install 'andon[gpu]'"

# What there is of each, as it says itself.
LIBRARIES = {
    "CUDA of the driver": (
        "from cuda.bindings import driver as d; d.cuInit(0); _, v = d.cuDriverGetVersion();"
        "print(f'{v // 1000}.{v % 1000 // 10}')"
    ),
    "CUDA runtime": "from cuda.bindings import runtime as r; _, v = r.cudaRuntimeGetVersion();"
    "print(f'{v // 1000}.{v % 1000 // 10}')",
    "TensorRT": "import tensorrt as t; print(t.__version__)",
    "TensorRT for RTX": "import tensorrt_rtx as t; print(t.__version__)",
    "ONNX Runtime": "import onnxruntime as o; print(o.__version__, 'with', ', '.join(o.get_available_providers()))",
    "Numba": "import numba; print(numba.__version__)",
    "numba-cuda": "import importlib.metadata as m; print(m.version('numba-cuda'))",
    "cuda-bindings": "import importlib.metadata as m; print(m.version('cuda-bindings'))",
    "PyCUDA": "import importlib.metadata as m; import pycuda.driver; print(m.version('pycuda'))",
    "CuPy": "import cupy; print(cupy.__version__)",
}
# Without it some rows are not run; with what it is had.
REMEDIES = {
    "CUDA of the driver": "install NVIDIA's driver; on a Jetson it comes with JetPack",
    "TensorRT": f"on a Jetson with JetPack, else {EXTRA}",
    "TensorRT for RTX": "pip install tensorrt-rtx, for PCs with an RTX GPU",
    "PyCUDA": f"{EXTRA}; it is compiled here, against the CUDA toolkit",
    "CuPy": "pip install cupy-cuda13x (or -cuda12x): the yardstick of the kernels",
}
HAS_DEVICE = (
    "from numba import config, cuda; assert not config.ENABLE_CUDASIM, 'the CUDA simulator is on';"
    "assert cuda.is_available(), 'Numba finds no CUDA device: ' + str(cuda.cuda_error() or 'none there');"
    "print(cuda.get_current_device().name)"
)
JETSON = {
    "module": Path("/proc/device-tree/model"),
    "Jetson Linux": Path("/etc/nv_tegra_release"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """``facts``: name and value, in the order to be shown. ``missing``: what is not here, and how to have it."""

    facts: dict[str, str]
    missing: dict[str, str]
    no_device: str  # why no kernel can run here; empty where one can


def look() -> Machine:
    """Takes some seconds: each library is loaded once."""
    facts = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "commit": _commit()}
    facts |= {"system": f"{platform.system()} {platform.release()} on {platform.machine()}"}
    facts |= _hardware()
    facts["Python"] = platform.python_version()
    missing = {}
    for name, code in LIBRARIES.items():
        works, said = ask_python(code)
        if works:
            facts[name] = said
        else:
            missing[name] = f"{_short(said)} -> {REMEDIES.get(name, EXTRA)}"
    works, said = ask_python(HAS_DEVICE)
    return Machine(facts=facts, missing=missing, no_device="" if works else _why(said))


def _hardware() -> dict[str, str]:
    found = {"GPU": _smi("name,compute_cap,memory.total,power.limit"), "driver": _smi("driver_version")}
    for name, path in JETSON.items():
        if path.exists():
            found[name] = path.read_text().splitlines()[0].strip("\0# ")
    if shutil.which("nvpmodel"):
        found["power mode"] = " ".join(_said(["nvpmodel", "-q"]).split())
    return {name: value for name, value in found.items() if value}


def _smi(fields: str) -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    return "; ".join(_said(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]).splitlines())


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _commit() -> str:
    """Which text was run; "+" where it had been changed."""
    name = _said(["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"])
    changed = _said(["git", "-C", str(REPOSITORY), "status", "--porcelain", "--untracked-files=no"])
    return f"{name or 'unknown'}{'+' if changed else ''}"


def _short(said: str) -> str:
    if said.startswith("ModuleNotFoundError"):
        return "not installed"
    if "DynamicLibNotFoundError" in said:
        return "no driver"
    return f"does not load: {said}"


def _why(said: str) -> str:
    """In a person's words, with what to do."""
    reason = said.removeprefix("AssertionError: ").rstrip(".")
    if reason.startswith("ModuleNotFoundError"):
        return f"{reason}: {EXTRA}"
    if shutil.which("nvidia-smi") is None and not JETSON["Jetson Linux"].exists():
        return f"no NVIDIA driver: install it, then {EXTRA}"
    return f"{reason}: see that nvidia-smi works, then {EXTRA}"
