"""The director: signs which device runs what. It opens its key at each call and keeps none in memory."""

from collections.abc import Sequence

from securesystemslib.signer import Key, Signer

from cloud_hub.config import HubConfig
from cloud_hub.errors import TrustError
from cloud_hub.signing.keyring import Keyring, raw_ed25519
from cloud_hub.signing.roles import DIRECTOR
from wire.directive import Directive, SignedDirective
from wire.directive import Director as Listed


class Director:
    """Signs with the director's key in ``keys``."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    @classmethod
    def of(cls, config: HubConfig) -> "Director":
        """The director of the hub that ``config`` describes."""
        return cls(Keyring.online(config.state_dir, config.signing))

    @property
    def key_id(self) -> str:
        """What the directives it signs name it by."""
        return _id_of(self._keys.public(DIRECTOR))

    def sign(self, directive: Directive) -> SignedDirective:
        return self.sign_all([directive])[0]

    def sign_all(self, directives: Sequence[Directive]) -> list[SignedDirective]:
        """Each directive signed, in this order, by a key that is opened once for all of them."""
        return self.sign_payloads([directive.to_json() for directive in directives])

    def sign_payloads(self, payloads: Sequence[bytes]) -> list[SignedDirective]:
        """The same bytes under a new signature are the same directive to a device."""
        signer = self._keys.signers(DIRECTOR)[0]
        key_id = _id_of(signer.public_key)
        return [
            SignedDirective(payload=payload, key_id=key_id, signature=_signature(signer, payload))
            for payload in payloads
        ]


def _id_of(key: Key) -> str:
    return Listed(public_key=raw_ed25519(key)).key_id


def _signature(signer: Signer, payload: bytes) -> bytes:
    try:
        return bytes.fromhex(signer.sign(payload).signature)
    except Exception as error:  # each kind of signer raises what it likes
        raise TrustError(f"the director's key does not sign: {error}") from error
