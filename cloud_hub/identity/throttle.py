"""How often one address may fail before it is not listened to for a while. Pure but for its own memory.

Guessing a token is hopeless anyway; what is bounded here is what a peer that keeps
failing costs: signatures to check, rows to look up, lines in the log. Devices
behind one router share an address, so only failures count, and a burst is free.
"""

import ipaddress
import threading
from collections import OrderedDict

BURST = 30  # failures that are free
PER_SECOND = 0.5  # failures that are forgotten
MOST_PEERS = 4096  # remembered; the one that failed longest ago is forgotten first
IPV6_NETWORK = 64  # bits: one customer has all the addresses below


class Throttle:
    """Used by any thread; ``now`` is a monotonic clock's, in seconds."""

    def __init__(
        self, *, burst: float = BURST, per_second: float = PER_SECOND, most_peers: int = MOST_PEERS
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._most_peers = most_peers
        self._peers: OrderedDict[str, tuple[float, float]] = OrderedDict()  # failures left over, as of
        self._lock = threading.Lock()

    def wait_s(self, peer: str, now: float) -> float:
        """Seconds until ``peer`` is listened to again; 0 where it is now."""
        with self._lock:
            excess = self._failures(network_of(peer), now) - self._burst
        return max(0.0, (excess + 1) / self._per_second)

    def failed(self, peer: str, now: float) -> None:
        """Note a failure of ``peer``."""
        network = network_of(peer)
        with self._lock:
            self._peers[network] = (self._failures(network, now) + 1, now)
            self._peers.move_to_end(network)
            if len(self._peers) > self._most_peers:
                self._peers.popitem(last=False)

    def forgive(self, peer: str, now: float) -> None:
        """Take back one failure of ``peer`` that was noted before it was known to be one."""
        network = network_of(peer)
        with self._lock:
            if network in self._peers:
                self._peers[network] = (max(0.0, self._failures(network, now) - 1), now)

    def _failures(self, network: str, now: float) -> float:
        failures, since = self._peers.get(network, (0.0, now))
        return max(0.0, failures - (now - since) * self._per_second)


def network_of(peer: str) -> str:
    """What counts as one peer: an IPv4 address, or the IPv6 network of one customer."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address.packed, IPV6_NETWORK), strict=False))
