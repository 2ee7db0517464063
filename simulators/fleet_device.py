"""One light device: who it is at the hub, what it has not been told to be settled, and its connection.

It speaks ``wire`` and nothing else, and keeps a report until the hub's commit mark says
that it is stored. There is no machine behind it: a bundle is checked, and not run.
"""

from functools import partial

from simulators.fleet_follower import Follower
from simulators.fleet_identity import Identity, Memory
from simulators.fleet_link import Link, LinkError
from simulators.fleet_outbox import Held, Outbox
from simulators.fleet_world import World
from wire.batch import ReportEvent
from wire.errors import MessageError, TopicError
from wire.messages import Birth, Command, Marks, Status
from wire.topics import Channel, Topic

AGENT = "andon-sim-fleet"
FIRST_RECONNECT_S, LONGEST_RECONNECT_S = 1.0, 30.0


class Device:
    def __init__(self, identity: Identity, memory: Memory, world: World, *, epoch: int) -> None:
        self.name = identity.device
        self.online = False
        self._identity = identity
        self._world = world
        self._outbox = Outbox(epoch, world.kind.table(self.name).hash, before=memory.epochs, held=memory.held)
        self._link: Link | None = None
        self._left = False
        self._tries = 0
        self._watched: Held | None = None  # a timer will look at this batch
        self._follower = Follower(identity, memory.use_cases, world, say=self._say, announce=self._say_birth)

    @property
    def unsettled(self) -> int:
        """Batches without a commit mark."""
        return len(self._outbox)

    @property
    def busy(self) -> bool:
        """Whether something waits to be written to its connection."""
        return self._link is not None and self._link.busy

    def connect(self) -> None:
        """Connect now; where that fails, again and again, each time later."""
        if self._left:
            return
        hub = self._world.hub
        self._link = Link(self.name, self._world.loop, self, will=self._status(False, "connection lost"))
        try:
            self._link.open(hub.broker_host, hub.broker_port, self._world.state.tls(self.name))
        except LinkError as error:
            self.lost(str(error))

    def leave(self) -> None:
        """Say goodbye and close; while it is ``busy`` that is on its way."""
        self._left = True
        if self._link is not None and self.online:
            self._link.publish(Channel.STATUS, self._status(False, "stopped").to_json(), retain=True)
            self._link.close()

    def keep(self) -> None:
        """Keep what this device has to know after a restart."""
        memory = Memory(
            use_cases=self._follower.memory(),
            epochs=self._outbox.remembered(),
            held=tuple(self._outbox.held),
        )
        self._world.state.remember(self._identity, memory)

    def connected(self) -> None:
        self.online, self._tries = True, 0
        self._outbox.restart()
        self._watched = None
        self._say_birth()
        self._publish(Channel.STATUS, self._status(True).to_json(), retain=True)
        self._send()

    def lost(self, reason: str) -> None:
        self.online, self._link = False, None
        if self._left:
            return
        self._world.note_trouble(reason)
        wait = min(FIRST_RECONNECT_S * 2**self._tries, LONGEST_RECONNECT_S)
        self._tries += 1
        self._world.loop.after(wait * self._world.random.uniform(0.5, 1.5), self.connect)

    def heard(self, topic_text: str, payload: bytes) -> None:
        try:
            topic = Topic.parse(topic_text)
            if topic.channel is Channel.COMMITTED:
                self._settle(Marks.from_json(payload))
            elif topic.channel is Channel.DIRECTIVE and topic.use_case:
                self._follower.judge(topic.use_case, payload)
            elif topic.channel is Channel.COMMAND and Command.from_json(payload).kind == "rebirth":
                self._say_birth()
        except (TopicError, MessageError) as error:
            self._world.note_trouble(f"a message of the hub makes no sense: {error}")

    def _settle(self, marks: Marks) -> None:
        if self._outbox.settle(marks):
            self._send()

    def _say(self, event: ReportEvent) -> None:
        self._outbox.add(event)
        self._send()

    def _send(self) -> None:
        if not self.online:
            return
        for held in self._outbox.unsent():
            self._publish(Channel.BATCH, held.payload)
            self._world.counts["batches sent"] += 1
        self._watch()

    def _watch(self) -> None:
        """See to it that the oldest batch is sent again, should its mark not come."""
        oldest = self._outbox.oldest_out()
        if oldest is not None and oldest is not self._watched:
            self._watched = oldest
            wait = self._outbox.patience_s * self._world.random.uniform(0.8, 1.2)
            self._world.loop.after(wait, partial(self._look, oldest))

    def _look(self, oldest: Held) -> None:
        if oldest is not self._watched:
            return  # it was settled
        self._watched = None
        if self.online and oldest is self._outbox.oldest_out():
            self._publish(Channel.BATCH, oldest.payload)
            self._outbox.note_resent()
            self._world.counts["batches sent again"] += 1
        self._watch()

    def _say_birth(self) -> None:
        if not self.online:
            return
        kind = self._world.kind
        birth = Birth(
            profile=kind.profile,
            target=kind.target,
            agent_version=AGENT,
            time_us=self._world.clock.now_us(),
            table=kind.table(self.name),
            epochs=self._outbox.floors(),
            use_cases=self._follower.states(),
        )
        self._publish(Channel.BIRTH, birth.to_json(), retain=True)

    def _publish(self, channel: Channel, payload: bytes, *, retain: bool = False) -> None:
        if self._link is not None:
            self._link.publish(channel, payload, retain=retain)

    def _status(self, online: bool, reason: str = "") -> Status:
        return Status(online=online, since_us=self._world.clock.now_us(), reason=reason)
