"""What is installed is what was locked, what is shipped is complete, and nothing names the machine it was made on."""

import importlib.metadata
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = {"andon", "wire", "kernels", "firmware_configs", "models", "edge_agent", "cloud_hub", "simulators"}
LOCKED_EXTRAS = ("edge", "hub", "train", "dev")

# Pieces, so that this file does not contain what it looks for.
PRIVATE_PLACES = ["/wo" + "rk/", "/ro" + "ot/", "/opt/" + "pypi", "pypi" + ".org", "files.python" + "hosted"]


def locked():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def wanted():
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [
        *PROJECT["project"]["dependencies"],
        *(line for extra in LOCKED_EXTRAS for line in extras[extra]),
    ]
    return [Requirement(line) for line in lines]


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_every_direct_dependency_is_locked_to_a_version_that_fits(requirement):
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None, f"constraints.txt does not pin {requirement.name}: make lock"
    assert requirement.specifier.contains(version)


def test_the_lock_pins_plain_versions():
    for name, version in locked().items():
        assert name == canonicalize_name(name)
        assert Version(version).local is None, f"{name}=={version} exists in one place only"


def test_no_locked_dependency_provides_one_of_our_names():
    provided = importlib.metadata.packages_distributions()
    for name in OURS:
        strangers = {canonicalize_name(each) for each in provided.get(name, [])} & locked().keys()
        assert not strangers, f"{sorted(strangers)} would shadow our {name}"


def test_every_file_of_a_package_is_shipped():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    for path in tracked(*OURS - {"andon"}):
        shipped = path.suffix == ".py" or any(fnmatch(path.name, pattern) for pattern in patterns)
        assert shipped, f"{path.relative_to(ROOT)} is not in package-data"


def test_nothing_names_a_place_on_the_machine_it_was_written_on():
    for path in tracked():
        text = path.read_text(errors="replace")
        for place in PRIVATE_PLACES:
            assert place not in text, f"{path.relative_to(ROOT)} names {place}"


def test_no_third_party_script_is_in_git():
    assert not [
        path for path in tracked() if re.search(r"\.min\.(js|css)$|node_modules/|/vendor/", path.as_posix())
    ]


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
