"""A bundle: one deterministic file with everything a device needs to run a release.

A stored (uncompressed) zip with a closed list of names, so equal releases have
equal bytes, and a reader needs no path logic an archive could trick.

    manifest.json        what it is for, what goes in and comes out
    model.onnx           the network, normalisation inside
    golden_inputs.npy    float32 [n, width]
    golden_outputs.npy   float32 [n, outputs]: what the network answered where it was made
    card.html            the model card, for people
"""

import hashlib
import io
import math
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wire.errors import BundleError
from wire.manifest import Manifest

NAMES = ("manifest.json", "model.onnx", "golden_inputs.npy", "golden_outputs.npy", "card.html")
LARGEST = 256 << 20
DAWN = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can state

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    manifest: Manifest
    onnx: bytes
    golden_inputs: Matrix
    golden_outputs: Matrix
    card_html: str = ""


def write_bundle(path: Path, bundle: Bundle) -> str:
    """Write ``bundle`` to ``path`` and return the file's SHA-256, hex."""
    members = {
        "manifest.json": bundle.manifest.to_json(),
        "model.onnx": bundle.onnx,
        "golden_inputs.npy": _npy(bundle.golden_inputs),
        "golden_outputs.npy": _npy(bundle.golden_outputs),
        "card.html": bundle.card_html.encode(),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in NAMES:
            archive.writestr(zipfile.ZipInfo(name, DAWN), members[name])
    return file_sha256(path)


def read_bundle(path: Path, *, largest: int = LARGEST) -> Bundle:
    """The bundle in ``path``; ``BundleError`` names what is wrong with it."""
    if path.stat().st_size > largest:
        raise BundleError(f"{path.name}: expected at most {largest} bytes, got {path.stat().st_size}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path.name)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"{path.name}: not a bundle: {error}") from error
    bundle = Bundle(
        manifest=Manifest.from_json(members["manifest.json"]),
        onnx=members["model.onnx"],
        golden_inputs=_matrix(members["golden_inputs.npy"], "golden_inputs"),
        golden_outputs=_matrix(members["golden_outputs.npy"], "golden_outputs"),
        card_html=members["card.html"].decode(errors="replace"),
    )
    _check_shapes(bundle, path.name)
    return bundle


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, bytes]:
    infos = archive.infolist()
    found = tuple(info.orig_filename for info in infos)
    if found != NAMES:
        raise BundleError(f"{name}: expected {', '.join(NAMES)}, got {list(found)[:9]}")
    end = 0
    for info in infos:
        _check_member(info, end, name)
        end = info.header_offset + info.compress_size
    return {info.filename: archive.read(info) for info in infos}


def _check_member(info: zipfile.ZipInfo, end: int, name: str) -> None:
    """A plain stored file behind the one before it: none is larger than the bundle, no two share bytes."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise BundleError(f"{name}: expected stored members, got {info.filename} compressed")
    if info.header_offset < end:
        raise BundleError(
            f"{name}: expected {info.filename} at byte {end} or later, got {info.header_offset}"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BundleError(f"{name}: expected plain files, got {info.filename} of mode {kind:o}")


def _check_shapes(bundle: Bundle, name: str) -> None:
    width = len(bundle.manifest.inputs)
    if bundle.golden_inputs.shape[1] != width or len(bundle.golden_inputs) != len(bundle.golden_outputs):
        raise BundleError(
            f"{name}: expected golden inputs of width {width} and as many outputs, "
            f"got {bundle.golden_inputs.shape} and {bundle.golden_outputs.shape}"
        )
    if not len(bundle.golden_inputs):
        raise BundleError(f"{name}: expected golden inputs, got none")


def _npy(matrix: Matrix) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(matrix, dtype="<f4"), allow_pickle=False)
    return buffer.getvalue()


def _matrix(payload: bytes, name: str) -> Matrix:
    """The rows in ``payload``; its header is judged before memory is taken for what it claims."""
    buffer = io.BytesIO(payload)
    try:
        version = np.lib.format.read_magic(buffer)
        if version != (1, 0):
            raise BundleError(f"{name}: expected version 1.0 of npy, got {version}")
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(buffer)
    except (ValueError, EOFError, OSError) as error:
        raise BundleError(f"{name}: not an array: {error}") from error
    if len(shape) != 2 or by_column or dtype != np.dtype("<f4"):
        raise BundleError(f"{name}: expected float32 rows, got {dtype} {shape}")
    body = payload[buffer.tell() :]
    if len(body) != math.prod(shape) * dtype.itemsize:
        raise BundleError(f"{name}: expected {shape} float32, got {len(body)} bytes")
    return np.frombuffer(body, dtype).reshape(shape)
