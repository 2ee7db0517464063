"""The generated protobuf modules are what their .proto files say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["batch", "feed", "network"])
def test_generated_module_is_up_to_date(name: str, tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    command = [sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", f"-I{ROOT}"]
    subprocess.run([*command, f"--python_out={tmp_path}", f"wire/{name}.proto"], check=True, cwd=ROOT)
    made = (tmp_path / "wire" / f"{name}_pb2.py").read_text()
    assert made == (ROOT / "wire" / f"{name}_pb2.py").read_text()
