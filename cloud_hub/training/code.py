"""Which code trained: the release of Andon and the text of every module a model depends on."""

import hashlib
from functools import cache
from importlib import metadata, resources

from kernels import sets

PLACES = (("models", "."), ("models", "declared"), ("cloud_hub", "dataset"), ("cloud_hub", "training"))
SHORT = 12


@cache
def version() -> str:
    """Such as ``0.1.0+3f2a...``: equal where training, dataset, networks and kernels read the same."""
    digest = hashlib.sha256("\n".join(sets.VERSIONS.values()).encode())
    for package, folder in PLACES:
        place = resources.files(package) / folder
        modules = (file for file in place.iterdir() if file.name.endswith(".py"))
        for module in sorted(modules, key=lambda file: file.name):
            digest.update(module.read_bytes())
    return f"{metadata.version('andon')}+{digest.hexdigest()[:SHORT]}"
