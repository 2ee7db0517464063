"""The signing keys on disk: offline ones say who may sign, online ones sign day by day.

    offline directory    root-1 root-2 root-3 (two of three), targets    carried away after use
    keys/online          snapshot, timestamp, bundles, director          read by `andon hub work` alone

All are Ed25519, PKCS#8 PEM, mode 0600 in a directory of mode 0700.
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from cloud_hub.errors import TrustError
from cloud_hub.files import private_folder, write_private

ROOT_KEYS = ("root-1", "root-2", "root-3")
ROOT_THRESHOLD = 2
TARGETS, SNAPSHOT, TIMESTAMP, BUNDLES = "targets", "snapshot", "timestamp", "bundles"
DIRECTOR = "director"

OFFLINE = (*ROOT_KEYS, TARGETS)
ONLINE = (SNAPSHOT, TIMESTAMP, BUNDLES, DIRECTOR)


def online_folder(state_dir: Path) -> Path:
    return state_dir / "keys" / "online"


def existing(folder: Path) -> list[Path]:
    """The key files in ``folder``."""
    return sorted(folder.glob("*.pem"))


def generate(folder: Path, names: tuple[str, ...]) -> dict[str, CryptoSigner]:
    """New keys in ``folder``, by name."""
    private_folder(folder)
    signers = {name: CryptoSigner.generate_ed25519() for name in names}
    for name, signer in signers.items():
        write_private(folder / f"{name}.pem", signer.private_bytes)
    return signers


def load_signer(folder: Path, name: str) -> CryptoSigner:
    return CryptoSigner(load_key(folder, name))


def load_key(folder: Path, name: str) -> Ed25519PrivateKey:
    """The private key ``name`` in ``folder``; a ``TrustError`` says what is wrong with it."""
    path = folder / f"{name}.pem"
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise TrustError(f"no key {path}: `andon keys init --offline DIR` makes the keys") from error
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TrustError(f"{path} cannot be read as a key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{path}: expected an Ed25519 key, got {type(key).__name__}")
    return key
