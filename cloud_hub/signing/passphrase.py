"""Where the passphrase comes from that the private keys are sealed with: never argv, never a log.

The online one is read whenever a key is used: from systemd's credentials, else a
file. The offline one comes from a file that the operator names, or the terminal.
"""

import base64
import os
from collections.abc import Callable
from pathlib import Path

from cloud_hub.config import SigningSettings
from cloud_hub.errors import TrustError
from cloud_hub.files import private_folder, write_private

Secret = Callable[[], bytes]

CREDENTIAL = "andon-keys"  # LoadCredential=andon-keys:/a/file in the unit of `andon hub`
SHORTEST = 12  # characters
LONGEST = 1024  # bytes, more is a wrong file


def online_place(state_dir: Path, settings: SigningSettings) -> Path:
    """The file that holds the passphrase of the online keys."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / CREDENTIAL).is_file():
        return Path(credentials) / CREDENTIAL
    return settings.passphrase_file or state_dir / "keys" / "passphrase"


def make(place: Path) -> bool:
    """Put a random one there unless there is one; whether it was made."""
    if place.exists():
        return False
    if not place.parent.is_dir():
        private_folder(place.parent)
    write_private(place, base64.urlsafe_b64encode(os.urandom(32)) + b"\n")
    return True


def read(place: Path) -> bytes:
    """The first line of ``place``; a ``TrustError`` says what is wrong with it and never what it says."""
    try:
        with place.open("rb") as file:
            line = file.read(LONGEST + 1)
    except OSError as error:
        raise TrustError(
            f"no passphrase of the keys at {place} ({error.strerror}): bring it there, or name its place by "
            f"signing.passphrase_file in hub.toml, or by systemd's LoadCredential={CREDENTIAL}:FILE"
        ) from error
    return checked(line.splitlines()[0].strip() if line.strip() else b"", str(place))


def checked(passphrase: bytes, origin: str) -> bytes:
    """``passphrase`` where its length will do."""
    if not SHORTEST <= len(passphrase) <= LONGEST:
        raise TrustError(
            f"{origin}: expected a passphrase of {SHORTEST} to {LONGEST} characters in one line, "
            f"got {len(passphrase)}"
        )
    return passphrase
