"""Births and statuses: kept, then acted on. What cannot be read or kept goes to quarantine.

A birth may bring the signal table that batches wait for, floors that settle what
will never come, and the news that a directive was never accepted.
"""

from dataclasses import replace

import structlog

from cloud_hub.ingest import directives, replays
from cloud_hub.ingest.attempts import StoppedError
from cloud_hub.ingest.births import Born, keep_birth, keep_status, parse_birth
from cloud_hub.ingest.consumer import Consumer
from cloud_hub.ingest.desk import Desk
from cloud_hub.ingest.group import store_group
from cloud_hub.ingest.ledger import QUERIES
from cloud_hub.ingest.reading import Arrival, read, reason_of
from cloud_hub.store.database import Connection
from cloud_hub.store.reasons import Reason
from wire.errors import MessageError
from wire.messages import Birth, Status
from wire.topics import Channel, Topic

log = structlog.get_logger()


class Announcements:
    def __init__(self, desk: Desk, consumer: Consumer) -> None:
        self._desk = desk
        self._consumer = consumer

    def take(self, arrival: Arrival) -> None:
        """Keep one birth or status and acknowledge it."""
        topic = Topic.parse(arrival.topic)
        try:
            if not arrival.payload:
                known = True  # how a retained message is cleared
            elif topic.channel is Channel.BIRTH:
                known = self._take_birth(topic.device, parse_birth(arrival.payload))
            else:
                known = self._take_status(topic.device, Status.from_json(arrival.payload))
            if not known:
                self._refuse(arrival, Reason.UNKNOWN_DEVICE, "not from a device in service")
        except StoppedError:
            raise
        except MessageError as error:
            self._refuse(arrival, reason_of(error), str(error))
        except Exception as error:  # one device's words must not end the service
            log.warning("a message cannot be kept", topic=arrival.topic, reason=repr(error))
            self._refuse(arrival, Reason.UNSTORABLE, repr(error))
        self._consumer.acknowledge([arrival])

    def _take_birth(self, name: str, birth: Birth) -> bool:
        desk = self._desk

        def keep(connection: Connection) -> Born | None:
            device = _in_service(connection, name)
            return None if device is None else keep_birth(connection, device, birth, desk.clock.now())

        born = desk.attempts.run(keep)
        if born is None:
            return False
        log.info("birth", device=name, table=born.table_hash.hex()[:12], agent=birth.agent_version)
        self._decode_waiting(born)
        # An epoch that is not named is lost to whoever spoke; a twin that has it must not hear that.
        desk.move_marks(born.told, tell={item.epoch for item in birth.epochs})
        desk.attempts.run(lambda connection: directives.publish_pending(connection, self._consumer, name))
        return True

    def _decode_waiting(self, born: Born) -> None:
        """Store the batches that came before their signal table."""
        desk, rows = self._desk, replays.AT_ONCE
        while rows == replays.AT_ONCE:
            waiting = desk.attempts.run(
                lambda connection: replays.decode_waiting(
                    connection, born.device, born.table_hash, desk.tables, desk.times()
                )
            )
            desk.move_marks(waiting.told)
            rows = waiting.rows

    def _take_status(self, name: str, status: Status) -> bool:
        def keep(connection: Connection) -> bool:
            device = _in_service(connection, name)
            if device is not None:
                keep_status(connection, device, status, self._desk.clock.now())
            return device is not None

        return self._desk.attempts.run(keep)

    def _refuse(self, arrival: Arrival, reason: str, detail: str) -> None:
        """Keep a message in quarantine; one from a stranger goes there under what the stranger is."""
        desk = self._desk
        refused = replace(read(arrival), header=None, batch=None, reason=reason, detail=detail)
        outcome = desk.attempts.run(
            lambda connection: store_group(connection, [refused], desk.tables, desk.times())
        )
        desk.news.note(outcome)


def _in_service(connection: Connection, name: str) -> int | None:
    """The id of a device that is enrolled and not retired."""
    row = connection.execute(QUERIES["devices"], {"names": [name]}).fetchone()
    return row["id"] if row and row["enrolled"] and not row["retired"] else None
