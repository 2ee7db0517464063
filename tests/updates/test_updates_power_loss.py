"""Power fails at every single touch of the disk: a good model comes up, and the update still ends right.

Each point is met three times: what was written so far is there; a write is torn
in two; everything that was not synced is gone, names as well as contents.
"""

import itertools
import shutil
from dataclasses import dataclass, replace

import pytest

from edge_agent.updates.disk import Disk


class PowerCut(BaseException):
    """Nothing catches it, as nothing catches the real one."""


@dataclass
class Inode:
    content: bytes
    synced: bytes


FOLDER = Inode(b"", b"")


class HastyDisk(Disk):
    """Does not wait for the real disk: here the record says what is safe."""

    def sync(self, path):
        assert path.exists()


class FragileDisk(HastyDisk):
    """A disk whose power fails at primitive number ``at``; it knows what would be left of it."""

    def __init__(self, at=10**9, *, torn=False):
        self.at = at
        self.torn = torn
        self.points = []
        self.seen = {}  # path -> inode, as the running system sees it
        self.safe = {}  # path -> inode, as the disk would come back

    def create(self, path, content):
        self._point("create", path, content, super().create)
        inode = self._touched(path)
        self.seen[path] = Inode(content, inode.synced if inode else b"")
        super().create(path, content)

    def extend(self, path, content):
        self._point("extend", path, content, super().extend)
        inode = self._touched(path) or Inode(b"", b"")
        inode.content += content
        self.seen[path] = inode
        super().extend(path, content)

    def sync(self, path):
        self._point("sync", path)
        super().sync(path)
        if path.is_dir():
            for name, inode in self.seen.items():
                if name.parent == path:
                    self.safe[name] = inode
        else:
            inode = self._touched(path)
            inode.synced = inode.content

    def rename(self, source, target):
        self._point("rename", target)
        self._touched(target)
        self.seen[target], self.seen[source] = self._touched(source), None
        super().rename(source, target)

    def unlink(self, path):
        self._point("unlink", path)
        self._touched(path)
        self.seen[path] = None
        super().unlink(path)

    def make_folder(self, path):
        self._point("make_folder", path)
        self.seen[path], self.safe[path] = FOLDER, None
        super().make_folder(path)

    def forget_unsynced(self):
        """Leave on the real disk what a power cut would."""
        for path, inode in self.safe.items():
            if inode is FOLDER:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            elif inode is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(inode.synced)

    def _touched(self, path):
        if path not in self.seen:
            known = Inode(path.read_bytes(), path.read_bytes()) if path.is_file() else None
            self.seen[path] = self.safe[path] = known
        return self.seen[path]

    def _point(self, kind, path, content=b"", write=None):
        if len(self.points) == self.at:
            if self.torn and write is not None:
                self._touched(path)
                write(path, content[: len(content) // 2])
            raise PowerCut
        self.points.append(f"{kind} {path.name}")


def go_on(device, offered):
    """Take the offer or what is left of it, prove or fail, commit or go back."""
    if device.updates.use_case_states()[0].accepted_sequence < 2:
        device.offer(offered)  # the hub sends it whenever a birth shows that it was not accepted
    else:
        device.settle()
    if device.state == "probation":
        device.prove()


def copied(device, tmp_path, number):
    """The same device on a disk of its own."""
    state_dir = tmp_path / f"copy-{number}"
    shutil.copytree(device.state_dir, state_dir, symlinks=True)
    identity = replace(device.identity, folder=state_dir / "identity")
    return replace(device, state_dir=state_dir, identity=identity, reports=[])


SCENARIOS = {
    "a good release": (100.0, "committed", "motor-health/2"),
    "a bad release": (900.0, "rolled-back", "motor-health/1"),
}


@pytest.mark.parametrize(
    ("scenario", "cut"),
    [
        ("a good release", "kept"),
        ("a good release", "torn"),
        ("a good release", "unsynced lost"),
        ("a bad release", "unsynced lost"),
    ],
)
def test_power_loss_at_every_touch_of_the_disk(hub, device, tmp_path, scenario, cut):
    offset, state, release = SCENARIOS[scenario]
    hub.publish(2, offset=offset)
    offered = hub.offer(2)
    for number in itertools.count():
        tried = copied(device, tmp_path, number)
        disk = FragileDisk(number, torn=cut == "torn")
        try:
            tried.boot(disk)
            go_on(tried, offered)
        except PowerCut:
            if cut == "unsynced lost":
                disk.forget_unsynced()
        else:
            break  # the power held for longer than the update took
        where = f"{cut} at {number}, after {disk.points[-1:]}"
        assert tried.boot(HastyDisk()).running(), where
        assert tried.release in ("motor-health/1", "motor-health/2"), where
        go_on(tried, offered)
        assert (tried.state, tried.release) == (state, release), where
        ends = {
            (r.directive_sequence, r.state) for r in tried.reports if r.state in (state, "refused", "failed")
        }
        assert ends == {(2, state)}, where
        shutil.rmtree(tried.state_dir)
    assert number > 40, "the update touched the disk less often than it must"
