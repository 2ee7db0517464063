"""An archive that crosses the network: a stored zip with a closed list of names.

Equal contents have equal bytes, and a reader needs no path logic that an archive could trick.
"""

import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from wire.errors import ArchiveError

DAWN = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can state
RECORDS, END = 30 + 46, 22  # bytes beside a member and its name twice, and behind all


def write_archive(path: Path, members: Mapping[str, bytes], *, largest: int) -> None:
    """Write ``members`` in their order; ``ArchiveError`` where nobody would read so many bytes."""
    size = sum(len(content) + 2 * len(name) + RECORDS for name, content in members.items()) + END
    if size > largest:
        raise ArchiveError(f"expected at most {largest} bytes, as no device reads more, got {size}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, DAWN), content)


def read_archive(
    path: Path, names: Sequence[str], *, optional: Sequence[str] = (), largest: int
) -> dict[str, bytes]:
    """The members of ``path``: all of ``names`` in their order, then any of ``optional`` in theirs.

    ``ArchiveError`` names what was expected and what is there; ``largest`` is bytes of the file.
    """
    if path.stat().st_size > largest:
        raise ArchiveError(f"{path.name}: expected at most {largest} bytes, got {path.stat().st_size}")
    try:
        with zipfile.ZipFile(path) as archive:
            return _members(archive, path.name, names, optional)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ArchiveError(f"{path.name}: cannot be read: {error}") from error


def _members(
    archive: zipfile.ZipFile, name: str, names: Sequence[str], optional: Sequence[str]
) -> dict[str, bytes]:
    infos = archive.infolist()
    found = [info.orig_filename for info in infos]
    if strange := [each for each in found if each not in {*names, *optional}]:
        raise ArchiveError(
            f"{name}: expected {', '.join([*names, *optional])}, got {strange[0]!r:.99}: not known to"
            " this version, so made by a newer one (upgrade Andon here first), or by something else"
        )
    if found != [*names, *(extra for extra in optional if extra in found)]:
        raise ArchiveError(f"{name}: expected {', '.join(names)}, got {found[:9]}")
    end = 0
    for info in infos:
        _check_member(info, end, name)
        end = info.header_offset + info.compress_size
    return {info.filename: archive.read(info) for info in infos}


def _check_member(info: zipfile.ZipInfo, end: int, name: str) -> None:
    """A plain stored file behind the one before it: none is larger than the archive, no two share bytes."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ArchiveError(f"{name}: expected stored members, got {info.filename} compressed")
    if info.header_offset < end:
        raise ArchiveError(
            f"{name}: expected {info.filename} at byte {end} or later, got {info.header_offset}"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise ArchiveError(f"{name}: expected plain files, got {info.filename} of mode {kind:o}")
