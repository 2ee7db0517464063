"""A bundle: one deterministic file with everything a device needs to run a release.

Equal releases have equal bytes.

    manifest.json        what it is for, what goes in and comes out
    model.onnx           the network, normalisation inside
    golden_inputs.npy    float32 [n, width]
    golden_outputs.npy   float32 [n, outputs]: what the network answered where it was made
    card.html            the model card, for people
    model.fp16.onnx ...  where there are any: the same network in other precisions (``wire.precision``)
"""

import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wire.archive import read_archive, write_archive
from wire.errors import ArchiveError, BundleError
from wire.manifest import Manifest
from wire.precision import VARIANTS, Precision

NAMES = ("manifest.json", "model.onnx", "golden_inputs.npy", "golden_outputs.npy", "card.html")
VARIANT_NAMES = {precision: f"model.{precision}.onnx" for precision in VARIANTS}
LARGEST = 256 << 20

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    manifest: Manifest
    onnx: bytes
    golden_inputs: Matrix
    golden_outputs: Matrix
    card_html: str = ""
    variants: Mapping[Precision, bytes] = field(default_factory=dict)  # ONNX, in the order of ``VARIANTS``

    def network(self, precision: Precision) -> bytes | None:
        """What is run, or compiled, in ``precision``; None where the bundle lacks that variant."""
        return self.variants.get(precision) if precision in VARIANTS else self.onnx


def write_bundle(path: Path, bundle: Bundle) -> str:
    """Write ``bundle`` to ``path`` and return the file's SHA-256, hex; BundleError if none would read it."""
    members = {
        "manifest.json": bundle.manifest.to_json(),
        "model.onnx": bundle.onnx,
        "golden_inputs.npy": _npy(bundle.golden_inputs),
        "golden_outputs.npy": _npy(bundle.golden_outputs),
        "card.html": bundle.card_html.encode(),
    }
    members |= {
        name: bundle.variants[precision]
        for precision, name in VARIANT_NAMES.items()
        if precision in bundle.variants
    }
    try:
        write_archive(path, members, largest=LARGEST)
    except ArchiveError as error:
        raise BundleError(f"{bundle.manifest.release}: {error}") from error
    return file_sha256(path)


def read_bundle(path: Path, *, largest: int = LARGEST) -> Bundle:
    """The bundle in ``path``; ``BundleError`` names what is wrong with it."""
    try:
        members = read_archive(path, NAMES, optional=tuple(VARIANT_NAMES.values()), largest=largest)
    except ArchiveError as error:
        raise BundleError(f"not a bundle: {error}") from error
    bundle = Bundle(
        manifest=Manifest.from_json(members["manifest.json"]),
        onnx=members["model.onnx"],
        golden_inputs=_matrix(members["golden_inputs.npy"], "golden_inputs"),
        golden_outputs=_matrix(members["golden_outputs.npy"], "golden_outputs"),
        card_html=members["card.html"].decode(errors="replace"),
        variants={precision: members[name] for precision, name in VARIANT_NAMES.items() if name in members},
    )
    _check_shapes(bundle, path.name)
    return bundle


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
