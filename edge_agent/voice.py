"""What the device says of itself, and who hears what the hub says to it.

Births describe the outbox and the releases at the moment they are sent; a
directive that comes before the source has told its signals waits, for nobody
could say whether it fits this device.
"""

from collections import deque
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

import structlog

from edge_agent.outbox import Outbox
from edge_agent.recorder import Recorder
from edge_agent.updates import Updates
from wire.clock import Clock
from wire.messages import WAVEFORM, Birth, Command
from wire.table import SignalTable

MOST_WAITING = 64

log = structlog.get_logger()


class Voice:
    """The uplink's listener."""

    def __init__(
        self,
        *,
        profile: str,
        target: str,
        outbox: Outbox,
        recorder: Recorder,
        updates: Updates,
        clock: Clock,
        self_test: Callable[[], None],
    ) -> None:
        self._profile = profile
        self._target = target
        self._outbox = outbox
        self._recorder = recorder
        self._updates = updates
        self._clock = clock
        self._self_test = self_test
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=MOST_WAITING)

    def births(self, *, every_table: bool) -> Sequence[bytes]:
        tables = self._recorder.tables
        older = tables.older() if every_table else ()
        return [self._birth(table).to_json() for table in (*older, tables.current)]

    def directive(self, use_case: str, payload: bytes) -> None:
        self._waiting.append((use_case, payload))
        self.hand_over()

    def hand_over(self) -> None:
        """Offer what waits to the updates, once the signals are known."""
        while self._recorder.tables.known:
            try:
                offer = self._waiting.popleft()
            except IndexError:  # the feed's thread and the uplink's both hand over
                return
            self._updates.offer(*offer)

    def command(self, command: Command) -> None:
        if command.kind == "self-test":
            self._self_test()
        elif command.kind == WAVEFORM:
            self._capture(command)
        else:
            log.warning("command not understood", kind=command.kind, id=command.id)

    def _capture(self, command: Command) -> None:
        machine = str(command.arguments.get("machine", ""))
        if not self._recorder.capture(machine, command.id):
            log.warning("no waveforms to capture", machine=machine[:80], id=command.id[:80])

    def _birth(self, table: SignalTable) -> Birth:
        return Birth(
            profile=self._profile,
            target=self._target,
            agent_version=agent_version(),
            time_us=self._clock.now_us(),
            table=table,
            epochs=self._outbox.introduce(),
            use_cases=self._updates.use_case_states(),
        )


def agent_version() -> str:
    try:
        return version("andon")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0"
