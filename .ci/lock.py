"""Write constraints.txt: what a fresh machine installs for ``andon[edge,hub,train,dev]``, version by version.

Resolved without looking at what is installed here, so nothing that happens to lie around gets in. A version
that the file already pins is kept as long as it fits (``--upgrade`` forgets them); a local suffix such as
``+cpu`` is left out, for the same version has another one, or none, elsewhere.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "constraints.txt"
EXTRAS = ("edge", "hub", "train", "dev")
# Brought by a wheel of PyTorch that is built for CUDA and by no other; which build it is differs by machine.
OF_CUDA_BUILDS = re.compile(r"nvidia-|cuda-|triton$")
HEADER = """\
# The lock of andon[edge,hub,train,dev]: `make lock` writes it, `make setup` installs with it.
"""


def wanted() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [
        *project["dependencies"],
        *(line for extra in EXTRAS for line in project["optional-dependencies"][extra]),
    ]


def resolve(constraints: list[str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        pins, report = Path(folder, "pins.txt"), Path(folder, "report.json")
        pins.write_text("\n".join(constraints))
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        subprocess.run([*command, "--report", report, "--constraint", pins, *wanted()], check=True)
        found = json.loads(report.read_text())["install"]
    names = {
        re.sub(r"[-_.]+", "-", each["metadata"]["name"]).lower(): each["metadata"]["version"]
        for each in found
    }
    return [
        f"{name}=={version.partition('+')[0]}"
        for name, version in sorted(names.items())
        if not OF_CUDA_BUILDS.match(name)
    ]


def main() -> None:
    kept = [] if "--upgrade" in sys.argv or not LOCK.exists() else LOCK.read_text().splitlines()
    LOCK.write_text(HEADER + "\n".join(resolve(kept)) + "\n")


if __name__ == "__main__":
    main()
