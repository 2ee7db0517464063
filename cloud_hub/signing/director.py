"""The director: signs which device runs what. It reads its key at each call and keeps none in memory."""

from collections.abc import Sequence

from cloud_hub.config import HubConfig
from cloud_hub.signing.keyring import DIRECTOR, load_key, online_folder
from wire.directive import Directive, SignedDirective, sign


class Director:
    """Signs with the online key of the hub that ``config`` describes."""

    def __init__(self, config: HubConfig) -> None:
        self._keys = online_folder(config.state_dir)

    @classmethod
    def of(cls, config: HubConfig) -> "Director":
        return cls(config)

    def sign(self, directive: Directive) -> SignedDirective:
        return self.sign_all([directive])[0]

    def sign_all(self, directives: Sequence[Directive]) -> list[SignedDirective]:
        """Each directive signed, in this order, by a key that is read once for all of them."""
        key = load_key(self._keys, DIRECTOR)
        return [sign(directive, key) for directive in directives]
