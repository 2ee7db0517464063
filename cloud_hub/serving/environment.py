"""What BentoML and ONNX Runtime must find before their import: no tracking, and a place for all files."""

import os
import shutil
import tempfile
from pathlib import Path

from cloud_hub.files import private_folder


def prepare(state_dir: Path) -> Path:
    """Give this process a folder for all that its libraries keep, and switch their tracking off.

    Only the packaged models outlive a process; the rest of an earlier one is removed.
    """
    home = private_folder(state_dir.resolve() / "serving")
    for name in ("tmp", "metrics"):
        shutil.rmtree(home / name, ignore_errors=True)
        private_folder(home / name)
    os.environ |= {
        "BENTOML_DO_NOT_TRACK": "True",
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime reports to Microsoft from 1.29 on, unless told before
        "BENTOML_HOME": str(home),
        "PROMETHEUS_MULTIPROC_DIR": str(home / "metrics"),
        "TMPDIR": str(home / "tmp"),
    }
    tempfile.tempdir = None  # asked for anew
    return home
