"""Releases as BentoML models: each bundle packaged once under its own tag, checked whenever it is opened.

The store lies in the state directory (``environment.prepare``); what is in it can be
made anew from the signed repository at any time. No Bento archive is built: it would
hold nothing more, and building one reaches for the internet, tracking on or off.
"""

import shutil
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException, NotFound

from cloud_hub.errors import ConflictError
from cloud_hub.serving.catalogue import Entry
from wire.bundle import Bundle, file_sha256, read_bundle
from wire.errors import WireError

FILE = "bundle.zip"


def opened(entry: Entry) -> Bundle:
    """The bundle of ``entry``, packaged if need be; ``ConflictError`` where it is not what was signed."""
    try:
        file = _kept(entry) or _packaged(entry)
        bundle = read_bundle(file)
    except (OSError, WireError, BentoMLException) as error:
        raise ConflictError(f"the bundle of {entry.release} cannot be used: {error}") from error
    if bundle.manifest.release != entry.release:
        raise ConflictError(f"{entry.file}: expected {entry.release}, got {bundle.manifest.release}")
    return bundle


def forget_all_but(releases: set[str]) -> None:
    """Let go of the packages of other releases; a release that is asked for again is packaged again."""
    for model in bentoml.models.list():
        if model.info.labels.get("release") not in releases:
            bentoml.models.delete(model.tag)


def _kept(entry: Entry) -> Path | None:
    """The packaged file, where it is still what it was; else room for a new one."""
    tag = _tag(entry)
    try:
        file = Path(bentoml.models.get(tag).path_of(FILE))
    except NotFound:
        return None
    if file.is_file() and file_sha256(file) == entry.sha256:
        return file
    bentoml.models.delete(tag)
    return None


def _packaged(entry: Entry) -> Path:
    with bentoml.models.create(
        _tag(entry), labels={"release": entry.release, "sha256": entry.sha256}
    ) as model:
        copy = Path(model.path_of(FILE))
        shutil.copyfile(entry.file, copy)
        if (found := file_sha256(copy)) != entry.sha256:
            raise ConflictError(
                f"{entry.file}: expected SHA-256 {entry.sha256[:12]}, got {found[:12]}: "
                "restore the repository from a backup"
            )
    return Path(bentoml.models.get(_tag(entry)).path_of(FILE))


def _tag(entry: Entry) -> str:
    return entry.release.replace("/", ":")
