"""The ``iotcore`` broker (rumqttd) as a process of its own, for loopback only.

It knows no client certificates and no access rules, and forgets queued messages when its log rolls; the
commit protocol does not mind the last.
"""

import argparse
import tempfile
from pathlib import Path

# Without a configuration file it speaks MQTT 3.1.1 alone, and both sides of Andon speak MQTT 5.
CONFIGURATION = """\
id = 0

[router]
id = 0
max_connections = 10000
max_outgoing_packet_count = 1000
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "loopback"
listen = "{listen}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {packet_bytes}
max_inflight_count = 1000
dynamic_filters = true
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--packet-bytes", type=int, required=True)
    options = parser.parse_args()
    from iotcore import IotCoreBroker  # noqa: PLC0415 - only where no mosquitto is

    with tempfile.TemporaryDirectory(prefix="andon-broker-") as folder:
        file = Path(folder, "broker.toml")
        file.write_text(CONFIGURATION.format(**vars(options)))
        broker = IotCoreBroker(config_path=str(file))
    broker.check_ports()
    broker.run_forever()


if __name__ == "__main__":
    main()
