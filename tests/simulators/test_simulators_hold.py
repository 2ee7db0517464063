import json
import subprocess
import sys
import time
from pathlib import Path

from wire.feed import FeedReader, FeedWriter, Hello, Open, Reading, connect


def test_a_held_source_answers_and_gives_nothing_out_until_it_is_released(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    (truth / "hold").touch()
    command = [sys.executable, "-m", "andon", "sim", "machine", "--devices", "cell-1", "--tcp", "127.0.0.1"]
    command += ["--truth", str(truth), "--clock", "2026-01-01T00:00:00Z,43200", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as source:
        try:
            assert source.stdout is not None
            address = json.loads(source.stdout.readline())["addresses"]["cell-1"]
            with connect(address, timeout_s=10) as agent:
                FeedWriter(agent).send(Open(source="cell-1", position=0))
                reader = FeedReader(agent)
                assert isinstance(reader.receive(), Hello)
                time.sleep(0.3)
                assert json.loads((truth / "produced.json").read_text())["cell-1"]["position"] == 0
                (truth / "hold").unlink()
                assert isinstance(reader.receive(), Reading)
        finally:
            source.terminate()
