"""Releases as BentoML models: each bundle packaged once under its own tag, checked whenever it is opened.

BentoML's store is not atomic: a kill leaves a folder that it cannot read, nor what lies beside it.
The store lies in the state directory (``environment.prepare``); what is in it can be
made anew from the signed repository at any time. No Bento archive is built of them: it
would add a copy of this code, and whoever ran it elsewhere would run it without the door.
"""

import os
import shutil
from pathlib import Path

import bentoml
import structlog
from bentoml.exceptions import BentoMLException

from cloud_hub.errors import ConflictError
from cloud_hub.serving.catalogue import Entry, bundle_in
from wire.bundle import Bundle

FILE = "bundle.zip"

log = structlog.get_logger()


def opened(entry: Entry) -> Bundle:
    """The bundle of ``entry``, packaged if need be; ``ConflictError`` where it is not what was published."""
    try:
        file = _kept(entry)
        if file is not None:
            return bundle_in(file, entry)
    except Exception as error:  # however it is damaged, it is made anew
        _discard(_folder(entry), error)
    bundle_in(entry.file, entry)
    try:
        return bundle_in(_packaged(entry), entry)
    except (OSError, BentoMLException) as error:  # BentoML reads those beside it too: one may be damaged
        _discard(_folder(entry), error)
    try:
        return bundle_in(_packaged(entry), entry)
    except (OSError, BentoMLException) as error:
        raise ConflictError(f"{entry.release} cannot be packaged: {error}") from error


def forget_all_but(releases: set[str]) -> None:
    """Let go of the packages of other releases; a release that is asked for again is packaged again."""
    for folder in _store().glob("*/"):
        try:
            for model in bentoml.models.list(folder.name):
                if model.info.labels.get("release") not in releases:
                    bentoml.models.delete(model.tag)
        except Exception as error:  # as above
            _discard(folder, error)


def _kept(entry: Entry) -> Path | None:
    """Of this tag alone: ``bentoml.models.get`` takes 1 for the beginning of 10."""
    found = bentoml.models.list(_tag(entry))
    return Path(found[0].path_of(FILE)) if found else None


def _store() -> Path:
    return Path(os.environ["BENTOML_HOME"]) / "models"


def _folder(entry: Entry) -> Path:
    """All packages of the use case, and BentoML's note of the last one: a kill leaves any of them half."""
    return _store() / entry.release.partition("/")[0]


def _discard(folder: Path, reason: Exception) -> None:
    log.warning("packages are made anew", folder=str(folder), reason=str(reason))
    shutil.rmtree(folder, ignore_errors=True)


def _packaged(entry: Entry) -> Path:
    labels = {"release": entry.release, "sha256": entry.sha256}
    with bentoml.models.create(_tag(entry), labels=labels) as model:
        shutil.copyfile(entry.file, model.path_of(FILE))
    return Path(bentoml.models.get(_tag(entry)).path_of(FILE))


def _tag(entry: Entry) -> str:
    return entry.release.replace("/", ":")
