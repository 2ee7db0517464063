"""The ``iotcore`` broker as a process of its own, for loopback only.

It knows no client certificates and no access rules, and forgets queued messages when its log rolls; the
commit protocol does not mind the last.
"""

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--packet-bytes", type=int, required=True)
    options = parser.parse_args()
    from iotcore import IotCoreBroker  # noqa: PLC0415 - only where no mosquitto is

    broker = IotCoreBroker(
        listen=options.listen,
        port=options.port,
        max_payload_size=options.packet_bytes,
        max_inflight_count=1000,
    )
    broker.check_ports()
    broker.run_forever()


if __name__ == "__main__":
    main()
