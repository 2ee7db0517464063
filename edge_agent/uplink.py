"""The agent's link to the hub: it starts while the hub is away and comes back for ever.

A thread of its own holds one connection at a time and lets ``session`` speak over
it; between two of them it waits, longer each time that nobody answered.
"""

import threading
import time
from queue import SimpleQueue
from random import Random

import structlog

from edge_agent.config import UplinkSettings
from edge_agent.connection import Address, Connected, Connection, Item, LinkError, Lost, Woken
from edge_agent.errors import EdgeError
from edge_agent.flight import Flight
from edge_agent.outbox import Outbox
from edge_agent.pace import Budget
from edge_agent.session import FAREWELL_S, LinkState, Listener, Session, hear
from edge_agent.waits import Backoff, Reconnect
from wire.clock import Clock
from wire.messages import Status

log = structlog.get_logger()

FIRST_RECONNECT_S = 0.5
CONNACK_S = 10.0


class Uplink:
    """``failure`` is what ended the thread, where that was not the link's fault."""

    def __init__(
        self,
        *,
        device: str,
        address: Address,
        settings: UplinkSettings,
        outbox: Outbox,
        clock: Clock,
        listener: Listener,
        random: Random,
    ) -> None:
        self.state = LinkState()
        self.failure: EdgeError | None = None
        self._device = device
        self._address = address
        self._settings = settings
        self._outbox = outbox
        self._clock = clock
        self._listener = listener
        usual = Backoff(first_s=FIRST_RECONNECT_S, longest_s=settings.reconnect_max_s)
        self._reconnect = Reconnect(usual, random)
        resend = Backoff(first_s=settings.resend_s, longest_s=settings.resend_max_s)
        self._budget = Budget(settings.max_bytes_per_s)
        self._flight = Flight(window=settings.window, backoff=resend, random=random, budget=self._budget)
        self._inbox: SimpleQueue[Item] = SimpleQueue()
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._since = 0.0  # when this connection, or the try for it, began
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    @property
    def out(self) -> int:
        """Batches out without a commit mark."""
        return self._flight.out

    @property
    def resent(self) -> int:
        return self._flight.resent

    @property
    def payload_bytes(self) -> int:
        """Bytes of batches and births that went out, each sending counted."""
        return self._budget.spent

    def behind(self) -> bool:
        """Whether a batch written now has to wait: for a connection, or for more than a window of others."""
        return not self.state.connected or self._flight.lag(self._outbox.newest) > self._settings.window

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Say goodbye and end; within a few seconds, connected or not."""
        self._stopping.set()
        self.nudge()
        if self._thread.is_alive():
            self._thread.join(FAREWELL_S + 1.0)

    def nudge(self) -> None:
        """There is something new in the outbox."""
        self._inbox.put(Woken())

    def announce(self) -> None:
        """What the birth says has changed."""
        self._changed.set()
        self.nudge()

    def _run(self) -> None:
        while not self._stopping.is_set():
            before, taken_over = self.state.connections, False
            self._since = time.monotonic()
            try:
                self._connect_and_serve()
            except LinkError as error:
                taken_over = error.taken_over
                self._note_lost(str(error))
            except EdgeError as error:
                self.failure = error
                return
            lived = time.monotonic() - self._since if self.state.connections > before else 0.0
            self._pause(lived, taken_over=taken_over)

    def _pause(self, lived_s: float, *, taken_over: bool) -> None:
        wait = self._reconnect.after(lived_s, taken_over=taken_over)
        if taken_over:
            self.state.takeovers += 1
            log.warning("another client has this device's name: is it a copy?", wait_s=round(wait, 1))
        self._stopping.wait(wait)

    def _connect_and_serve(self) -> None:
        self._inbox = SimpleQueue()
        will = Status(online=False, since_us=self._clock.now_us(), reason="connection lost")
        connection = Connection(self._device, inbox=self._inbox, will=will)
        try:
            connection.open(self._address, keepalive_s=self._settings.keepalive_s)
            connected = self._await_connack()
            self._flight.restart(min(self._settings.window, connected.receive_maximum), self._outbox.newest)
            self._note_connected()
            session = Session(
                connection=connection,
                inbox=self._inbox,
                flight=self._flight,
                outbox=self._outbox,
                listener=self._listener,
                state=self.state,
                budget=self._budget,
                most_bytes=connected.most_bytes,
            )
            self._serve(session)
        finally:
            connection.close()

    def _await_connack(self) -> Connected:
        deadline = time.monotonic() + CONNACK_S
        while (left := deadline - time.monotonic()) > 0 and not self._stopping.is_set():
            match hear(self._inbox, left):
                case Connected() as connected:
                    return connected
                case Lost(reason, taken_over):
                    raise LinkError(reason, taken_over=taken_over)
        raise LinkError("the broker did not answer")

    def _serve(self, session: Session) -> None:
        self._changed.clear()
        session.begin(Status(online=True, since_us=self._clock.now_us()))
        while not self._stopping.is_set():
            if self._changed.is_set():
                self._changed.clear()
                session.say_birth()
            session.turn()
        session.end(Status(online=False, since_us=self._clock.now_us(), reason="stopped"))
        self._note_lost("stopped")

    def _note_connected(self) -> None:
        self._since = time.monotonic()
        self.state.connections += 1
        self.state.connected, self.state.reason = True, ""
        self.state.since_us = self._clock.now_us()
        log.info("connected", host=self._address.host, port=self._address.port)

    def _note_lost(self, reason: str) -> None:
        if self.state.connected or self.state.reason != reason:
            log.info("disconnected", reason=reason)
        if self.state.connected:
            self.state.since_us = self._clock.now_us()
        self.state.connected, self.state.reason = False, reason
