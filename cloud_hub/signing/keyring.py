"""The private keys of one folder, each sealed at rest, or at a signer that never gives it away.

    NAME.pem         Ed25519, PKCS#8, sealed with the folder's passphrase, mode 0600 in a folder of mode 0700
    NAME.next.pem    the key that is to take its place: while both are there, both sign

A key may be an HSM's or a cloud's instead: ``signing.uris`` of hub.toml names it by a
securesystemslib URI, ``signing.public_keys`` its public half. Keys are opened at each
use and kept by nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey

from cloud_hub.config import SigningSettings
from cloud_hub.errors import TrustError
from cloud_hub.files import move, private_folder, write_private
from cloud_hub.signing import passphrase
from cloud_hub.signing.passphrase import Secret

NEXT = ".next"
_SEALED = b"ENCRYPTED PRIVATE KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A key that is not on this machine."""

    uri: str
    public_key: Path  # PEM


class Keyring:
    """The keys in ``folder``, sealed with ``secret``; without one they are kept, and expected, plain."""

    def __init__(
        self, folder: Path, secret: Secret | None, remote: Mapping[str, Remote] | None = None
    ) -> None:
        self.folder = folder
        self._secret = secret
        self._remote = remote or {}

    @classmethod
    def online(cls, state_dir: Path, settings: SigningSettings | None = None) -> Self:
        """The keys by which the hub in ``state_dir`` signs day by day."""
        chosen = settings or SigningSettings()
        remote = {
            name: Remote(uri=uri, public_key=chosen.public_keys[name]) for name, uri in chosen.uris.items()
        }
        place = passphrase.online_place(state_dir, chosen)
        return cls(state_dir / "keys" / "online", lambda: passphrase.read(place), remote)

    def has(self, name: str) -> bool:
        return name in self._remote or self._file(name).exists()

    def is_remote(self, name: str) -> bool:
        return name in self._remote

    def plain(self) -> list[Path]:
        """The key files that anybody who gets hold of them can use."""
        return [file for file in self.files() if _SEALED not in file.read_bytes()]

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.pem"))

    def signers(self, name: str) -> list[Signer]:
        """The key ``name`` and, while it is being replaced, the one to come; at least one of them."""
        there = [each for each in (name, name + NEXT) if self.has(each)]
        if not there:
            raise TrustError(
                f"no key {self._file(name)}: `andon keys init --offline DIR` makes the keys, "
                f"`andon keys revoke {name} --offline DIR` replaces a lost one"
            )
        return [self._signer(each) for each in there]

    def public(self, name: str) -> SSlibKey:
        """The public half of ``name``."""
        if name in self._remote:
            return self._remote_public(name)
        key = self._signer(name).public_key
        assert isinstance(key, SSlibKey)
        return key

    def make(self, name: str) -> None:
        """A new key ``name``, unless there is one."""
        if not self.has(name):
            private_folder(self.folder)
            self._write(name, Ed25519PrivateKey.generate())

    def promote(self, name: str) -> None:
        """Let the key to come take the place of ``name``, whose old key is gone then."""
        if name + NEXT in self._remote:
            self._file(name).unlink(missing_ok=True)
        elif self._file(name + NEXT).exists():
            move(self._file(name + NEXT), self._file(name))

    def seal(self) -> list[Path]:
        """Seal every plain key where it lies; which ones were."""
        found = self.plain()
        for file in found:
            self._write(file.name.removesuffix(".pem"), _opened(file, None))
        return found

    def _signer(self, name: str) -> Signer:
        if name not in self._remote:
            return CryptoSigner(_opened(self._file(name), self._secret))
        uri = self._remote[name].uri
        try:
            return Signer.from_priv_key_uri(uri, self._remote_public(name), self._pin)
        except Exception as error:  # each kind of signer raises what it likes
            scheme = uri.partition(":")[0]
            raise TrustError(f"the key {name} cannot be used through {scheme}: {error}") from error

    def _pin(self, _name: str) -> str:
        """What an HSM asks for before it signs."""
        assert self._secret is not None, "remote keys are the online ones, which have a passphrase"
        return self._secret().decode()

    def _remote_public(self, name: str) -> SSlibKey:
        place = self._remote[name].public_key
        try:
            return SSlibKey.from_crypto(load_pem_public_key(place.read_bytes()))
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise TrustError(f"{place}, the public key of {name}, cannot be read: {error}") from error

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def _write(self, name: str, key: Ed25519PrivateKey) -> None:
        seal: KeySerializationEncryption = NoEncryption()
        if self._secret is not None:
            seal = BestAvailableEncryption(self._secret())
        write_private(self._file(name), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, seal))


def describe(key: Key) -> str:
    """A key as people compare it."""
    return str(key.keyid)[:12]


def raw_ed25519(key: Key) -> str:
    """A public key as directives name it, hex; no other kind of key may sign them."""
    if key.keytype != "ed25519":
        raise TrustError(f"directives are signed with Ed25519 keys alone, the director's is {key.keytype}")
    return str(key.keyval["public"])


def _opened(file: Path, secret: Secret | None) -> Ed25519PrivateKey:
    """The private key in ``file``; a ``TrustError`` says what is wrong with it."""
    try:
        content = file.read_bytes()
        sealed = _SEALED in content
        if sealed and secret is None:
            raise TrustError(f"{file} is sealed, and no passphrase was given")
        key = load_pem_private_key(content, secret() if sealed and secret else None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TrustError(_trouble(file, error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{file}: expected an Ed25519 key, got {type(key).__name__}")
    return key


def _trouble(file: Path, error: Exception) -> str:
    if "password" in str(error).lower():
        return f"{file} is sealed with another passphrase than the one given"
    return f"{file} cannot be read as a key: {error}"
