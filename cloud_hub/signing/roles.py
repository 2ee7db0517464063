"""The names of the roles and of their keys, which of them stay offline, and the paths each may vouch for.

    root-1 root-2 root-3 (two of three), targets                    offline: a directory to carry away
    snapshot, timestamp, bundles, director, engines-<target>        online: read by `andon hub work` alone

The director is no role of TUF: its public key stands in ``directors.json``, a target that ``targets`` signs.
"""

import re
from datetime import timedelta

from cloud_hub.errors import TrustError

ROOT = "root"
ROOT_KEYS = ("root-1", "root-2", "root-3")
ROOT_THRESHOLD = 2
TARGETS, SNAPSHOT, TIMESTAMP, BUNDLES = "targets", "snapshot", "timestamp", "bundles"
DIRECTOR = "director"
DIRECTORS_FILE = "directors.json"

OFFLINE = (*ROOT_KEYS, TARGETS)
ONLINE = (SNAPSHOT, TIMESTAMP, BUNDLES, DIRECTOR)
TOP_LEVEL = (TARGETS, SNAPSHOT, TIMESTAMP)  # their keys stand in root; delegated ones' in targets

_ENGINES = "engines-"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_BUNDLE_PATH = re.compile(rf"bundles(/{_NAME}){{1,3}}")
_ENGINE_NAME = re.compile(rf"{_NAME}(/{_NAME})?")


def engines_role(target: str) -> str:
    """The role that vouches for shared engines of the compile target ``target``."""
    return f"{_ENGINES}{target}"


def paths_of(role: str) -> list[str]:
    """What a delegated role may list; no role may list what another one may."""
    if role == BUNDLES:
        return ["bundles/*", "bundles/*/*", "bundles/*/*/*"]
    target = role.removeprefix(_ENGINES)
    return [f"engines/{target}/*", f"engines/{target}/*/*"]


def lifetime(role: str) -> timedelta:
    """How long a signature holds: short where it is renewed by itself, long where it takes offline keys."""
    known = {ROOT: 1825, TARGETS: 1825, SNAPSHOT: 90, TIMESTAMP: 14}
    return timedelta(days=known.get(role, 365))


def check_bundle_path(path: str) -> str:
    if not _BUNDLE_PATH.fullmatch(path):
        raise TrustError(f"expected a target path like bundles/motor-health/3.zip, got {path!r}")
    return path


def engine_path(target: str, name: str) -> str:
    """The target path of the engine ``name``, such as ``motor-health/3.engine``."""
    if not _ENGINE_NAME.fullmatch(name):
        raise TrustError(f"expected an engine's name like motor-health/3.engine, got {name!r}")
    return f"engines/{target}/{name}"
