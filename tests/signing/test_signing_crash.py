"""An act that is cut short at any write leaves what clients can follow, and is finished by running it again."""

import shutil

import pytest
from signing_client import fetched

from cloud_hub import files
from cloud_hub.signing import keys, rotation
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository

ENGINES = "engines-orin-nx-jp6"
BUNDLE = "bundles/a/1.zip"

ACTS = {
    "root-1": ["root-1"],
    "targets": ["targets"],
    "snapshot": ["snapshot"],
    "timestamp": ["timestamp"],
    "bundles": ["bundles"],
    "director": ["director"],
    ENGINES: [ENGINES],
    "everything": ["root-2", "targets", "snapshot", "timestamp", "bundles", "director", ENGINES],
}


class PowerCutError(Exception):
    """Raised where the machine dies; no code catches it."""


class Cut:
    """Lets ``left`` files take their names, and none after them: what has no name yet is not there."""

    def __init__(self, monkeypatch):
        self.left = None
        self._real = files._rename
        monkeypatch.setattr(files, "_rename", self._rename)
        monkeypatch.setattr(
            files.os, "fsync", lambda _: None
        )  # the order is asked here, and thousands of writes

    def _rename(self, source, path):
        if self.left is not None:
            if self.left == 0:
                raise PowerCutError
            self.left -= 1
        self._real(source, path)


@pytest.fixture
def cut(monkeypatch):
    return Cut(monkeypatch)


def points(cut, act, prepare):
    """Run ``act`` cut short before its first write, its second, and so on, until one is whole."""
    for number in range(100):
        prepare()
        cut.left = number
        try:
            act()
        except PowerCutError:
            cut.left = None
            yield number
        else:
            cut.left = None
            return
    pytest.fail("this act never ends")


@pytest.mark.parametrize("names", ACTS.values(), ids=ACTS)
def test_a_replacement_cut_short_anywhere_harms_no_client_and_ends_when_run_again(
    hub, bundle, tmp_path, cut, names
):
    Repository(hub).publish_bundle(bundle, BUNDLE)
    assert fetched(hub, tmp_path / "seen", BUNDLE)
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-before")
    before = tmp_path.parent / f"{tmp_path.name}-before"

    def restore():
        for folder in ("hub", "offline", "seen", "new"):
            shutil.rmtree(tmp_path / folder, ignore_errors=True)
        shutil.copytree(before, tmp_path, dirs_exist_ok=True)

    def act():
        rotation.replace(Repository(hub, offline=Keyring(tmp_path / "offline", None)), names)

    tried = 0
    for number in points(cut, act, restore):
        tried += 1
        assert fetched(hub, tmp_path / "seen", BUNDLE), f"an old client after {number} writes"
        assert fetched(hub, tmp_path / "new", BUNDLE), f"a new client after {number} writes"
        Repository(hub).republish()  # `andon hub work` goes on as if nothing had happened
        assert fetched(hub, tmp_path / "seen", BUNDLE), f"an old client, signed anew after {number} writes"
        act()
        assert fetched(hub, tmp_path / "seen", BUNDLE), f"finished after {number} writes"
        assert not list(tmp_path.rglob("*.next.pem"))
    assert tried >= 4, "the cuts were tried"


def test_init_cut_short_anywhere_is_finished_by_running_it_again(tmp_path, cut, bundle):
    def init(folder):
        keys.init(folder / "hub", folder / "offline", engine_targets=["rtx"])

    def fresh():
        shutil.rmtree(tmp_path / "x", ignore_errors=True)
        (tmp_path / "x").mkdir()

    tried = 0
    for _ in points(cut, lambda: init(tmp_path / "x"), fresh):
        tried += 1
        made = {path: path.read_bytes() for path in (tmp_path / "x").rglob("*.pem")}
        init(tmp_path / "x")
        assert all(path.read_bytes() == content for path, content in made.items()), "no key was made anew"
        Repository(tmp_path / "x" / "hub").publish_bundle(bundle, BUNDLE)
        assert fetched(tmp_path / "x" / "hub", tmp_path / "x" / "client", BUNDLE)
    assert tried > 15, "the cuts were tried"


def test_a_delegation_cut_short_anywhere_is_finished_by_running_it_again(hub, tmp_path, cut, bundle):
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-before")

    def restore():
        for folder in ("hub", "offline", "client"):
            shutil.rmtree(tmp_path / folder, ignore_errors=True)
        shutil.copytree(tmp_path.parent / f"{tmp_path.name}-before", tmp_path, dirs_exist_ok=True)

    def act():
        offline = Keyring(tmp_path / "offline", None)
        rotation.delegate_engines(Repository(hub, offline=offline), "rtx")

    for _ in points(cut, act, restore):
        assert fetched(hub, tmp_path / "client", "directors.json")
        act()
        Repository(hub).publish_engine(bundle, "rtx", "a.engine")
        assert fetched(hub, tmp_path / "client", "engines/rtx/a.engine")
