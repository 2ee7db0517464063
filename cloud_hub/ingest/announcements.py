"""Births and statuses: kept, then acted on. What cannot be read or kept goes to quarantine.

A birth may bring the signal table that batches wait for, floors that settle what
will never come, and the news that a directive was never accepted. What came together is
kept together; what the database refuses is found by trying each alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

import structlog

from cloud_hub.ingest import captures, directives, replays
from cloud_hub.ingest.attempts import StoppedError
from cloud_hub.ingest.births import Born, keep_births, keep_statuses, parse_birth
from cloud_hub.ingest.births_tables import QUERIES as BIRTHS
from cloud_hub.ingest.births_tables import MachineTakenError
from cloud_hub.ingest.consumer import Consumer
from cloud_hub.ingest.desk import Desk
from cloud_hub.ingest.group import store_group
from cloud_hub.ingest.ledger import QUERIES
from cloud_hub.ingest.reading import Arrival, read, reason_of
from cloud_hub.ingest.rounds import rounds
from cloud_hub.store.database import Connection
from cloud_hub.store.epochs import to_store
from cloud_hub.store.reasons import Reason
from wire.errors import MessageError
from wire.messages import Birth, Status
from wire.topics import Channel, Topic

log = structlog.get_logger()

Message = TypeVar("Message", Birth, Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Generic[Message]):
    """One message of one device, read."""

    arrival: Arrival
    device: str
    message: Message


class Announcements:
    def __init__(self, desk: Desk, consumer: Consumer) -> None:
        self._desk = desk
        self._consumer = consumer

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """Keep births and statuses and acknowledge them."""
        births = self._read(arrivals, Channel.BIRTH, parse_birth)
        statuses = self._read(arrivals, Channel.STATUS, Status.from_json)
        for together in rounds(births, lambda said: said.device):
            self._take(together, self._take_births)
        for offline in rounds(statuses, lambda said: said.device):
            self._take(offline, self._take_statuses)
        self._consumer.acknowledge(list(arrivals))

    def _read(
        self, arrivals: Sequence[Arrival], channel: Channel, parse: Callable[[bytes], Message]
    ) -> list[Said[Message]]:
        """The messages of one channel; an empty one is how a retained message is cleared."""
        found = []
        once = {(arrival.topic, arrival.payload): arrival for arrival in arrivals}  # some also come retained
        for arrival in once.values():
            topic = Topic.parse(arrival.topic)
            if topic.channel is not channel or not arrival.payload:
                continue
            try:
                message = parse(arrival.payload)
            except MessageError as error:
                self._refuse(arrival, reason_of(error), str(error))
            else:
                found.append(Said(arrival=arrival, device=topic.device, message=message))
        return found

    def _take(self, said: list[Said[Message]], keep: Callable[[list[Said[Message]]], None]) -> None:
        """``keep`` them together, or each alone where one of them cannot be kept."""
        try:
            keep(said)
        except StoppedError:
            raise
        except Exception as error:  # one device's words must not end the service
            if len(said) > 1:
                for alone in said:
                    self._take([alone], keep)
                return
            log.warning("a message cannot be kept", topic=said[0].arrival.topic, reason=repr(error))
            self._refuse(said[0].arrival, Reason.UNSTORABLE, repr(error))

    def _take_births(self, said: list[Said[Birth]]) -> None:
        desk, births = self._desk, self._in_service(said)
        if not births:
            return
        messages = {device: item.message for device, item in births.items()}
        kept = desk.attempts.run(lambda connection: keep_births(connection, messages, desk.clock.now()))
        born = []
        for device, result in kept.items():
            item = births[device]
            if isinstance(result, MachineTakenError):
                self._refuse(item.arrival, reason_of(result), str(result))
            else:
                born.append(result)
                table, agent = result.table_hash.hex()[:12], item.message.agent_version
                log.info("birth", device=item.device, table=table, agent=agent)
        self._act(born, births)

    def _act(self, born: list[Born], births: Mapping[int, Said[Birth]]) -> None:
        """Do what the births that were kept lead to."""
        self._decode_waiting(born)
        told = {stream: said for item in born for stream, said in item.told.items()}
        # An epoch that is not named is lost to whoever spoke; a twin that has it must not hear that.
        named = {
            (item.device, to_store(epoch.epoch))
            for item in born
            for epoch in births[item.device].message.epochs
        }
        self._desk.move_marks(told, tell=named)
        names = [births[item.device].device for item in born]
        self._desk.attempts.run(
            lambda connection: directives.publish_pending(connection, self._consumer, names)
        )
        now = self._desk.clock.now()
        self._desk.attempts.run(
            lambda connection: captures.publish_asked(connection, self._consumer, now, names)
        )

    def _decode_waiting(self, born: list[Born]) -> None:
        """Store the batches that came before their signal table."""
        desk = self._desk
        values = {
            "devices": [item.device for item in born],
            "hashes": [item.table_hash for item in born],
        }
        awaited = desk.attempts.run(
            lambda connection: connection.execute(BIRTHS["awaited"], values).fetchall()
        )
        for row in awaited:
            rows = replays.AT_ONCE
            while rows == replays.AT_ONCE:
                waiting = desk.attempts.run(
                    partial(self._decode_some, row["device"], bytes(row["table_hash"]))
                )
                desk.move_marks(waiting.told)
                rows = waiting.rows

    def _decode_some(self, device: int, table_hash: bytes, connection: Connection) -> replays.Replayed:
        desk = self._desk
        return replays.decode_waiting(connection, device, table_hash, desk.tables, desk.times())

    def _take_statuses(self, said: list[Said[Status]]) -> None:
        statuses = {device: item.message for device, item in self._in_service(said).items()}
        if statuses:
            now = self._desk.clock.now()
            self._desk.attempts.run(lambda connection: keep_statuses(connection, statuses, now))

    def _in_service(self, said: Sequence[Said[Message]]) -> dict[int, Said[Message]]:
        """By id, what came from devices that are enrolled and not retired; the others' is refused."""
        names = {"names": [item.device for item in said]}
        rows = self._desk.attempts.run(
            lambda connection: connection.execute(QUERIES["devices"], names).fetchall()
        )
        ids = {row["name"]: row["id"] for row in rows if row["enrolled"] and not row["retired"]}
        for item in said:
            if item.device not in ids:
                self._refuse(item.arrival, Reason.UNKNOWN_DEVICE, "not from a device in service")
        return {ids[item.device]: item for item in said if item.device in ids}

    def _refuse(self, arrival: Arrival, reason: str, detail: str) -> None:
        """Keep a message in quarantine; one from a stranger goes there under what the stranger is."""
        desk = self._desk
        refused = replace(read(arrival), header=None, batch=None, reason=reason, detail=detail)
        outcome = desk.attempts.run(
            lambda connection: store_group(connection, [refused], desk.tables, desk.times())
        )
        desk.news.note(outcome)
