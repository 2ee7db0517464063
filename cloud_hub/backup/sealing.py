"""The hub's private keys as one member of a backup: sealed with a passphrase, or as readable as they were.

Without the authority's key a restored hub is a stranger to its fleet, and without
the online keys it can direct nobody; so they belong to a backup, and make it a
secret. scrypt makes a guess at the passphrase cost 128 MiB and a third of a second.
"""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from cloud_hub.errors import BackupError

PLAIN, SEALED = "keys.tar", "keys.sealed"
MAGIC = b"andon keys, sealed 1\n"
SALT_BYTES, NONCE_BYTES = 16, 12
SHORTEST = 12  # characters of a passphrase
LARGEST = 1 << 20  # of one key file


def passphrase_of(file: Path) -> bytes:
    """The first line of ``file``."""
    lines = file.read_bytes().splitlines()
    passphrase = lines[0].strip() if lines else b""
    if len(passphrase) < SHORTEST:
        raise BackupError(
            f"{file}: expected a passphrase of {SHORTEST} characters or more, got {len(passphrase)}"
        )
    return passphrase


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar of ``files`` (name: contents), each readable by its owner alone."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return held.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    """What ``pack`` packed; anything but plain files of sensible size is refused."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            for member in opened:
                content = opened.extractfile(member) if member.isreg() and member.size <= LARGEST else None
                if content is None:
                    raise BackupError(f"the packed keys hold {member.name!r}, which is no key file")
                found[member.name] = content.read()
    except tarfile.TarError as error:
        raise BackupError(f"the packed keys cannot be read: {error}") from error
    return found


def seal(content: bytes, passphrase: bytes) -> bytes:
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    return MAGIC + salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, content, MAGIC)


def unseal(sealed: bytes, passphrase: bytes) -> bytes:
    """The contents; ``BackupError`` for another passphrase, or where a bit was changed."""
    if not sealed.startswith(MAGIC):
        raise BackupError(
            f"expected sealed keys that begin with {MAGIC.decode().strip()!r}, got something else"
        )
    salt, rest = sealed[len(MAGIC) :][:SALT_BYTES], sealed[len(MAGIC) + SALT_BYTES :]
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], MAGIC)
    except (InvalidTag, ValueError) as error:
        raise BackupError("the keys were not sealed with this passphrase, or were changed since") from error


def _key(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**17, r=8, p=1).derive(passphrase)
