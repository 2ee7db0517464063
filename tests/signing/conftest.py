"""A hub with keys, and what its repository looks like to a client of The Update Framework."""

import pytest

from cloud_hub.signing import keys


@pytest.fixture
def hub(tmp_path):
    keys.init(tmp_path / "hub", tmp_path / "offline")
    return tmp_path / "hub"


@pytest.fixture
def bundle(tmp_path):
    file = tmp_path / "motor-health-1.zip"
    file.write_bytes(b"a bundle" * 100)
    return file
