"""The hub's own mosquitto: who may connect, who may say and hear what, and that the queue keeps what it took."""

import os
import shutil
import socket
import ssl
import stat
from pathlib import Path
from queue import SimpleQueue

import paho.mqtt.client as mqtt
import pytest
from broker_world import Client, connected

from cloud_hub.parts.broker import Broker, ServerFiles, find_mosquitto
from cloud_hub.parts.errors import PartError
from firmware_configs.templates import PACKET_BYTES, QUEUED_BYTES, BrokerBounds, devices_acl
from wire.codec import Limits
from wire.topics import Channel, Topic, device_filters

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="no mosquitto on this machine")


@pytest.mark.parametrize("channel", [Channel.BIRTH, Channel.STATUS, Channel.BATCH])
def test_a_device_is_heard_by_the_hub(broker, channel):
    with connected(broker, "press-04", "hub") as (press, hub):
        hub.hear("andon/v1/+/birth", "andon/v1/+/status", "$share/ingest/andon/v1/+/batch")
        assert press.say(Topic("press-04", channel)) == "Success"
        assert hub.next().topic == f"andon/v1/press-04/{channel}"


@pytest.mark.parametrize("channel", list(Channel))
def test_a_device_cannot_publish_as_another(broker, channel):
    use_case = "motor-health" if channel is Channel.DIRECTIVE else None
    with connected(broker, "press-04", "hub") as (press, hub):
        hub.hear("andon/v1/#")
        assert press.say(Topic("pump-07", channel, use_case)) == "Not authorized"
        assert hub.hears_nothing()


@pytest.mark.parametrize("channel", [Channel.COMMITTED, Channel.COMMAND, Channel.DIRECTIVE])
def test_a_device_cannot_speak_for_the_hub_to_itself(broker, channel):
    use_case = "motor-health" if channel is Channel.DIRECTIVE else None
    with connected(broker, "press-04") as press:
        assert press.say(Topic("press-04", channel, use_case)) == "Not authorized"


def test_a_device_hears_its_own_channels_and_none_of_its_neighbours(broker):
    with connected(broker, "press-04", "pump-07", "hub") as (press, pump, hub):
        press.hear(*device_filters("press-04"), *device_filters("pump-07"), "andon/v1/#", "#")
        pump.hear(*device_filters("pump-07"))
        for topic in (
            Topic("pump-07", Channel.COMMITTED),
            Topic("pump-07", Channel.COMMAND),
            Topic("pump-07", Channel.DIRECTIVE, "motor-health"),
        ):
            assert hub.say(topic) == "Success"
            assert pump.next().topic == str(topic)
        assert pump.say(Topic("pump-07", Channel.BATCH)) == "Success"
        assert press.hears_nothing()
        assert hub.say(Topic("press-04", Channel.DIRECTIVE, "motor-health")) == "Success"
        assert press.next().topic == "andon/v1/press-04/directive/motor-health"


def test_a_device_cannot_end_anothers_connection_by_taking_its_client_id(broker):
    with connected(broker, "press-04", "pump-07") as (press, _pump):
        intruder = Client(broker, "pump-07", client_id="press-04")
        assert press.say(Topic("press-04", Channel.BATCH)) in {"Success", "No matching subscribers"}
        assert press.ends.empty()
        intruder.leave()


def test_several_processes_of_the_hub_share_one_certificate(broker):
    hubs = [Client(broker, "hub", client_id=f"ingest-{number}", port=broker.hub_port) for number in (1, 2)]
    for hub in hubs:
        hub.hear("andon/v1/+/birth")
    with connected(broker, "press-04") as press:
        press.say(Topic("press-04", Channel.BIRTH))
    assert [hub.next().topic for hub in hubs] == ["andon/v1/press-04/birth"] * 2
    for hub in hubs:
        hub.leave()


def test_a_device_outside_of_the_namespace_is_refused(broker):
    with connected(broker, "press-04") as press:
        assert press.say("elsewhere/press-04/batch") == "Not authorized"


def test_a_client_without_a_certificate_is_refused(broker):
    context = ssl.create_default_context(cafile=broker.authority.ca)
    assert not accepted(broker, context)


def test_a_client_of_another_authority_is_refused(broker, state_root):
    from certificates import Certificates

    stranger = Certificates(state_root / "elsewhere").issue("press-04")
    context = ssl.create_default_context(cafile=broker.authority.ca)
    context.load_cert_chain(stranger.certificate, stranger.key)
    assert not accepted(broker, context)


def test_tls_before_1_2_is_refused(broker):
    context = broker.authority.issue("press-04").context()
    assert accepted(broker, context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert not accepted(broker, context)


def accepted(broker, context):
    """Whether a plain MQTT 5 CONNECT is answered with CONNACK 0; TLS 1.3 refuses only after the handshake."""
    packet = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02ab"
    try:
        with (
            socket.create_connection((broker.host, broker.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(packet)
            answer = secure.recv(64)
            return len(answer) > 3 and answer[0] == 0x20 and answer[3] == 0
    except OSError:
        return False


def test_an_absent_reader_loses_nothing_in_the_queue(broker):
    """Stock mosquitto drops acknowledged messages beyond a thousand."""
    with connected(broker, "hub") as hub:
        hub.hear("$share/ingest/andon/v1/+/batch")
    with connected(broker, "press-04") as press:
        for number in range(3000):
            press._mqtt.publish("andon/v1/press-04/batch", str(number).encode(), qos=1)
        assert press.say(Topic("press-04", Channel.BATCH), b"last") == "Success"
    with connected(broker, "hub") as hub:
        heard = [hub.next().payload for _ in range(3001)]
    assert heard == [*(str(number).encode() for number in range(3000)), b"last"]


def test_a_batch_too_large_for_ingest_still_reaches_it_to_be_refused_by_name(broker):
    with connected(broker, "press-04", "hub") as (press, hub):
        hub.hear("andon/v1/+/batch")
        assert press.say(Topic("press-04", Channel.BATCH), bytes(Limits().payload_bytes + 1)) == "Success"
        assert len(hub.next().payload) == Limits().payload_bytes + 1


def test_a_packet_beyond_all_bounds_ends_its_sender_and_no_neighbour(broker):
    with connected(broker, "press-04", "pump-07", "hub") as (press, pump, hub):
        hub.hear("andon/v1/+/batch")
        press._mqtt.publish("andon/v1/press-04/batch", bytes(PACKET_BYTES + 1), qos=1)
        assert press.ends.get(timeout=5) != 0
        assert pump.say(Topic("pump-07", Channel.BATCH), b"good neighbour") == "Success"
        assert hub.next().payload == b"good neighbour"


def test_the_bounds_of_broker_and_codec_fit():
    assert Limits().payload_bytes < PACKET_BYTES < QUEUED_BYTES


def test_the_access_rules_spell_the_topics_of_the_wire():
    granted = {line.split(maxsplit=2)[2] for line in devices_acl().splitlines() if line.startswith("pattern")}
    spoken = {str(Topic("d", channel)) for channel in (Channel.BIRTH, Channel.STATUS, Channel.BATCH)}
    assert {each.replace("%u", "d") for each in granted} == spoken | set(device_filters("d"))


def test_retained_births_survive_a_restart_on_the_same_port(broker):
    with connected(broker, "press-04") as press:
        press.say(Topic("press-04", Channel.BIRTH), b"born", retain=True)
    broker.part.stop()
    assert broker.part.start().port == broker.port
    with connected(broker, "hub") as hub:
        hub.hear("andon/v1/+/birth")
        assert hub.next().payload == b"born"


def test_a_second_start_takes_another_port_when_the_old_one_is_gone(broker):
    broker.part.stop()
    with socket.create_server((broker.host, broker.port)):
        assert broker.part.start().port != broker.port


def test_a_configured_port_in_use_is_one_sentence_with_the_remedy(authority, state_root):
    server = authority.issue("localhost", server=True)
    files = ServerFiles(ca=server.ca, certificate=server.certificate, key=server.key)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        part = Broker(state_root / "b", files, port=port, ephemeral=True)
        with pytest.raises(PartError, match=rf"port {port} is in use by another program: stop it, or set"):
            part.start()


@pytest.mark.parametrize("listen", ["192.0.2.7", "no address"])
def test_an_address_of_another_machine_is_one_sentence_that_names_the_setting(authority, state_root, listen):
    server = authority.issue("localhost", server=True)
    files = ServerFiles(ca=server.ca, certificate=server.certificate, key=server.key)
    with pytest.raises(PartError, match=rf"cannot listen on '{listen}' .*: set broker\.listen to an address"):
        Broker(state_root / "b", files, listen=listen, ephemeral=True).start()


def test_the_private_key_is_for_the_broker_alone(broker):
    copies = list(broker.part._places.of("broker", broker.part._account).glob("*"))
    keys = [each for each in copies if each.name == "server.key"]
    assert [stat.S_IMODE(each.stat().st_mode) for each in keys] == [0o600]
    if os.geteuid() == 0:
        assert keys[0].stat().st_uid == broker.part._account.uid != 0


def test_nothing_but_the_two_tls_ports_listens(broker):
    process = Path("/proc") / str(broker.part._process.pid)
    ours = {str(each.readlink())[8:-1] for each in (process / "fd").iterdir() if each.name}
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            address, state, inode = line.split()[1], line.split()[3], line.split()[9]
            if state == "0A" and inode in ours:  # 0A: listening
                listening.add(int(address.rpartition(":")[2], 16))
    assert listening == {broker.port, broker.hub_port}


def test_as_many_connections_as_the_system_allows_have_a_file_each(broker):
    """A connection is a file, and a process begins with a thousand."""
    (line,) = [
        each
        for each in Path(f"/proc/{broker.part.pid}/limits").read_text().splitlines()
        if each.startswith("Max open files")
    ]
    soft, hard = line.split()[3:5]
    assert soft == hard


def test_a_fleet_of_ten_thousand_fits_with_the_hub_and_who_is_just_coming_back():
    assert BrokerBounds().devices >= 11_000


def test_without_mosquitto_the_embedded_broker_serves_and_says_what_is_missing(
    authority, state_root, monkeypatch
):
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    server = authority.issue("localhost", server=True)
    files = ServerFiles(ca=server.ca, certificate=server.certificate, key=server.key)
    part = Broker(state_root / "b", files, ephemeral=True)
    assert "without client certificates" in part.warning
    address = part.start()
    try:
        assert (address.host, address.tls) == ("127.0.0.1", False)
        assert one_message(address.host, address.port) == b"hello"
    finally:
        part.stop()


def one_message(host, port):
    """What comes back of a message sent to oneself over MQTT 5, which both sides of Andon speak."""
    heard = SimpleQueue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="press-04", protocol=mqtt.MQTTv5)
    client.on_connect = lambda *_: client.subscribe("$share/ingest/andon/v1/+/batch", qos=1)
    client.on_subscribe = lambda *_: client.publish("andon/v1/press-04/batch", b"hello", qos=1)
    client.on_message = lambda _client, _data, message: heard.put(message.payload)
    client.connect(host, port)
    client.loop_start()
    try:
        return heard.get(timeout=10)
    finally:
        client.disconnect()
        client.loop_stop()
