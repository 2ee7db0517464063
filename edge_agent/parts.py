"""The agent's parts, put together once: who hears of what, and nothing more."""

from collections.abc import Callable
from random import Random

import structlog

from edge_agent import status
from edge_agent.config import AgentConfig
from edge_agent.connection import Address
from edge_agent.feed import Feed
from edge_agent.identity import Identity
from edge_agent.inference_reports import InferenceReports
from edge_agent.outbox import Outbox
from edge_agent.phases import Phases
from edge_agent.recorder import Recorder
from edge_agent.renewal import Renewal
from edge_agent.runners.device import device_runners, remote_runner
from edge_agent.sampling import too_fast
from edge_agent.updates import Deferrals, DeviceFacts, Features, Updates, first_known
from edge_agent.updates.disk import Disk
from edge_agent.uplink import Uplink
from edge_agent.voice import Voice
from firmware_configs.profiles import profile
from wire.batch import ReportEvent
from wire.clock import Clock

log = structlog.get_logger()


class Parts:
    """Also the recorder's watcher: it passes on to the uplink what the outbox got."""

    def __init__(
        self, config: AgentConfig, identity: Identity, clock: Clock, *, self_test: Callable[[], None]
    ) -> None:
        random = Random()  # noqa: S311 - spreads devices in time, guards nothing
        self._device = profile(config.profile)
        self.outbox = Outbox.open(
            config.state_dir / "outbox.db",
            max_bytes=config.outbox.max_bytes,
            refuses=config.outbox.when_full == "refuse",
        )
        self.phases = Phases(config.updates.critical, clock)
        self.deferrals = Deferrals(
            windows=config.updates.windows,
            zone=first_known(config.updates.zone, identity.zone),
            clock=clock,
            phase=self.phases.critical,
        )
        self.recorder = self._recorder(config, clock)
        self.inference = InferenceReports()
        self.runners = device_runners(
            config, tell=self.inference.heard, remote=remote_runner(config.inference, identity)
        )
        self.updates = self._updates(config, identity, clock)
        self.voice = Voice(
            profile=config.profile,
            target=self._device.target,
            outbox=self.outbox,
            recorder=self.recorder,
            updates=self.updates,
            clock=clock,
            self_test=self_test,
        )
        self.uplink = Uplink(
            device=config.device,
            address=_address(identity),
            settings=config.uplink,
            outbox=self.outbox,
            clock=clock,
            listener=self.voice,
            random=random,
        )
        self.renewal = Renewal(identity, disk=Disk(), random=random)
        self.feed = Feed(source=config.device, address=config.feed.address, sink=self.recorder, random=random)

    def committed(self) -> None:
        """There is a new batch."""
        self.uplink.nudge()

    def behind(self) -> bool:
        """Whether the newest batch does not go out at once."""
        return self.uplink.behind()

    def table_changed(self) -> None:
        """The source told other signals than before."""
        if trouble := too_fast(self.recorder.tables.current, self._device):
            log.warning("the source gives too much", reason=trouble)
        self.voice.hand_over()
        self.uplink.announce()

    def _updates(self, config: AgentConfig, identity: Identity, clock: Clock) -> Updates:
        return Updates(
            config.state_dir,
            identity,
            clock,
            config.probation,
            DeviceFacts(target=self._device.target, features=self._features_of),
            report=self._report,
            make_runner=self.runners.make,
            engines=self.runners.facts,
            withdrawn=self.runners.withdraw,
            memory=self.runners.memory,
            deferral=self.deferrals.judge,
        )

    def _recorder(self, config: AgentConfig, clock: Clock) -> Recorder:
        """Where the outbox was damaged, the position is what can be read of it, else the last status's."""
        damage = self.outbox.damage
        told, since_us = status.last_position(config.state_dir, config.device) if damage else (0, 0)
        recorder = Recorder(
            source=config.device,
            outbox=self.outbox,
            settings=config.uplink,
            clock=clock,
            watcher=self,
            phases=self.phases,
            captures=config.captures,
            position=damage.positions.get(config.device, told) if damage else None,
        )
        if damage:
            log.error("outbox damaged", kept_as=str(damage.kept_as), reason=damage.reason)
            recorder.note_gap("outbox-damaged", since_us or clock.now_us(), clock.now_us())
        return recorder

    def _features_of(self, machine_class: str) -> Features | None:
        line = self.recorder.line_of(machine_class)
        if line is None or line.extractor is None:
            return None
        return Features(
            feature_set=line.machine.feature_set,
            names=line.extractor.names,
            units=line.extractor.units,
            rates=line.rates,
        )

    def _report(self, event: ReportEvent) -> None:
        """Returns when the report is on disk; raises where it is not."""
        self.recorder.report(event)
        log.info(
            "update",
            use_case=event.use_case,
            state=event.state,
            change=event.event,
            release=event.release,
            reason=event.reason,
            rollout=event.rollout,
            correlation=event.correlation,
        )
        self.uplink.announce()


def _address(identity: Identity) -> Address:
    tls = identity.tls if identity.broker_tls else None
    return Address(host=identity.broker_host, port=identity.broker_port, tls=tls)
