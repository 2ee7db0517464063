"""Devices that are killed for real: a process each, ended by SIGKILL as it writes what it is about to do.

Run as a script: reads what each device is to do as JSON from stdin, and writes how each process ended.
"""

import base64
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from update_parts import DEVICE, Device, HastyDisk

from edge_agent.config import AgentConfig
from edge_agent.identity import Identity


class KillingDisk(HastyDisk):
    """Ends its process when the journal is to say ``state``: just before it does, or just after."""

    def __init__(self, state, moment):
        self._words = f'"state":"{state}"'.encode()
        self._moment = moment

    def extend(self, path, content):
        deadly = path.name == "journal" and self._words in content
        if deadly and self._moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().extend(path, content)
        if deadly:
            os.kill(os.getpid(), signal.SIGKILL)


class TellingDevice(Device):
    """Its reports lie in a file once they are taken, as in an outbox."""

    def take(self, report):
        with (self.state_dir / "reports").open("a") as file:
            file.write(json.dumps(asdict(report)) + "\n")


def live(folder, offered, state, moment):
    settings = {"device": DEVICE, "state_dir": folder, "feed": {"address": "unix:/nowhere"}}
    identity = Identity.load(AgentConfig.parse(settings, origin="test"))
    device = TellingDevice(state_dir=Path(folder), identity=identity)
    device.boot(KillingDisk(state, moment))
    device.commit(base64.b64decode(offered))


def main():
    for row in json.load(sys.stdin):
        child = os.fork()
        if not child:
            live(**row)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
