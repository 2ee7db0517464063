"""The director: signs which device runs what. It opens its key at each call and keeps none in memory."""

from collections.abc import Sequence

from securesystemslib.signer import Signer

from cloud_hub.config import HubConfig
from cloud_hub.errors import TrustError
from cloud_hub.signing import directors
from cloud_hub.signing.keyring import raw_ed25519
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.roles import DIRECTOR
from wire.directive import Directive, SignedDirective
from wire.directive import Director as Listed


class Director:
    """Signs with the director's key that devices may verify: one that ``repository`` lists."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    @classmethod
    def of(cls, config: HubConfig) -> "Director":
        """The director of the hub that ``config`` describes."""
        return cls(Repository.of(config))

    @property
    def founded(self) -> bool:
        """Whether there are keys at all."""
        return self._repository.exists()

    @property
    def key_id(self) -> str:
        """What the directives it signs name it by."""
        return _id_of(self._signer())

    def sign(self, directive: Directive) -> SignedDirective:
        return self.sign_all([directive])[0]

    def sign_all(self, directives: Sequence[Directive]) -> list[SignedDirective]:
        """Each directive signed, in this order, by a key that is opened once for all of them."""
        return self.sign_payloads([directive.to_json() for directive in directives])

    def sign_payloads(self, payloads: Sequence[bytes]) -> list[SignedDirective]:
        """The same bytes under a new signature are the same directive to a device."""
        signer = self._signer()
        key_id = _id_of(signer)
        return [
            SignedDirective(payload=payload, key_id=key_id, signature=_signature(signer, payload))
            for payload in payloads
        ]

    def _signer(self) -> Signer:
        there = self._repository.press.online.signers(DIRECTOR)
        listed = {each.director.key_id for each in directors.listed(self._repository)}
        for signer in there:
            if _id_of(signer) in listed:
                return signer
        raise TrustError(
            f"expected the director's key to be one of {len(listed)} that devices know, got "
            f"{_id_of(there[0])[:12]}: bring the right one, or `andon keys revoke director`"
        )


def _id_of(signer: Signer) -> str:
    return Listed(public_key=raw_ed25519(signer.public_key)).key_id


def _signature(signer: Signer, payload: bytes) -> bytes:
    try:
        return bytes.fromhex(signer.sign(payload).signature)
    except Exception as error:  # each kind of signer raises what it likes
        raise TrustError(f"the director's key does not sign: {error}") from error
