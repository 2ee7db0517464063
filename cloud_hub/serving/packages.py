"""Releases as BentoML models: each bundle packaged once under its own tag, checked whenever it is opened.

The store lies in the state directory (``environment.prepare``); what is in it can be
made anew from the signed repository at any time. No Bento archive is built of them: it
would add a copy of this code, and whoever ran it elsewhere would run it without the door.
"""

import shutil
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException, NotFound

from cloud_hub.errors import ConflictError
from cloud_hub.serving.catalogue import Entry, bundle_in
from wire.bundle import Bundle

FILE = "bundle.zip"


def opened(entry: Entry) -> Bundle:
    """The bundle of ``entry``, packaged if need be; ``ConflictError`` where it is not what was published."""
    try:
        file = _kept(entry)
        if file is not None:
            return bundle_in(file, entry)
    except ConflictError:  # damaged since: made anew
        bentoml.models.delete(_tag(entry))
    bundle_in(entry.file, entry)
    try:
        return bundle_in(_packaged(entry), entry)
    except (OSError, BentoMLException) as error:
        raise ConflictError(f"{entry.release} cannot be packaged: {error}") from error


def forget_all_but(releases: set[str]) -> None:
    """Let go of the packages of other releases; a release that is asked for again is packaged again."""
    for model in bentoml.models.list():
        if model.info.labels.get("release") not in releases:
            bentoml.models.delete(model.tag)


def _kept(entry: Entry) -> Path | None:
    try:
        return Path(bentoml.models.get(_tag(entry)).path_of(FILE))
    except NotFound:
        return None


def _packaged(entry: Entry) -> Path:
    labels = {"release": entry.release, "sha256": entry.sha256}
    with bentoml.models.create(_tag(entry), labels=labels) as model:
        shutil.copyfile(entry.file, model.path_of(FILE))
    return Path(bentoml.models.get(_tag(entry)).path_of(FILE))


def _tag(entry: Entry) -> str:
    return entry.release.replace("/", ":")
