"""A hub with keys; made once and copied, for a key more or less is not what a test waits for."""

import shutil

import pytest

from cloud_hub.signing import keys

ENGINE_TARGETS = ("orin-nx-jp6", "orin-nano-jp6")


@pytest.fixture(scope="session")
def made_hub(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    keys.init(place / "hub", place / "offline", engine_targets=ENGINE_TARGETS)
    return place


@pytest.fixture
def hub(made_hub, tmp_path):
    """Its state directory; ``tmp_path / "offline"`` holds the offline keys, unsealed."""
    shutil.copytree(made_hub, tmp_path, dirs_exist_ok=True)
    return tmp_path / "hub"


@pytest.fixture
def bundle(tmp_path):
    file = tmp_path / "motor-health-1.zip"
    file.write_bytes(b"a bundle" * 100)
    return file
