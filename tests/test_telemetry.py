"""Nothing that Andon runs tells anybody but its operators."""

import os
import subprocess
import sys

RUN = """
import andon
import onnxruntime
print(onnxruntime.__version__)
"""


def test_onnx_runtime_keeps_no_record_of_its_own_for_its_maker(tmp_path):
    plain = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", RUN], check=True, env=plain | {"HOME": str(tmp_path)}, timeout=120)
    assert not list(tmp_path.rglob("*onnxruntime*"))
