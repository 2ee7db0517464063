"""``andon device``: what two stages know about a device, under one name.

Adding and retiring one is identity's, everything between is rollout's; asking it for a capture is a flow.
"""

from cloud_hub.flows.capture_cli import device_capture
from cloud_hub.identity.cli import device_add
from cloud_hub.identity.retire_cli import device_retire
from cloud_hub.rollout.cli import device_app

device_app.command("add")(device_add)
device_app.command("retire")(device_retire)
device_app.command("capture")(device_capture)

__all__ = ["device_app"]
