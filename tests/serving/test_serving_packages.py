"""BentoML's store after a kill or a bad disk, with BentoML itself: in a process of its own, which it marks for good."""

import json
import subprocess
import sys
from pathlib import Path

from tests.serving.serving_world import bundle_of
from wire.bundle import write_bundle

OPENED = """
import json, shutil, sys
from pathlib import Path
from cloud_hub.serving import environment
state = Path(sys.argv[1])
store = environment.prepare(state) / "models" / "engine-life"
from cloud_hub.serving import packages
from cloud_hub.serving.catalogue import Entry
from wire.bundle import file_sha256

def opened(version):
    file = state / f"{version}.zip"
    release = f"engine-life/{version}"
    entry = Entry(release=release, use_case="engine-life", file=file, sha256=file_sha256(file))
    return packages.opened(entry).manifest.release

def of(version, name):
    return store / str(version) / name

damages = {
    "nothing": lambda: None,
    "no description": lambda: of(1, "model.yaml").unlink(),
    "half a description": lambda: of(1, "model.yaml").write_text("name: [engine"),
    "an empty description": lambda: of(1, "model.yaml").write_text(""),
    "half a bundle": lambda: of(1, "bundle.zip").write_bytes(of(1, "bundle.zip").read_bytes()[:99]),
    "no bundle": lambda: of(1, "bundle.zip").unlink(),
    "damage beside it": lambda: (shutil.rmtree(store / "1"), of(10, "model.yaml").unlink()),
    "an empty note of the last": lambda: (shutil.rmtree(store / "1"), (store / "latest").write_text("")),
}
found = {}
for name, damage in damages.items():
    opened(10), opened(1)
    damage()
    found[name] = opened(1)
opened(10), opened(1)
of(10, "model.yaml").unlink()
packages.forget_all_but({"engine-life/1"})
found["forgotten"] = (store / "10").exists()
shutil.rmtree(store / "1", ignore_errors=True)
opened(10)
found["another that begins alike"] = opened(1)
print(json.dumps(found))
"""


def test_a_package_that_is_damaged_in_any_way_is_made_anew(tmp_path: Path) -> None:
    for version in (1, 10):
        write_bundle(tmp_path / f"{version}.zip", bundle_of(version, life=version))
    done = subprocess.run(
        [sys.executable, "-P", "-c", OPENED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found.pop("forgotten")
    assert set(found.values()) == {"engine-life/1"}
