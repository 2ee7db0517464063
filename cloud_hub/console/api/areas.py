"""Every area of the API; importing them declares their operations."""

from cloud_hub.console.api import (
    caller,
    charts,
    data,
    deciding,
    devices,
    document,
    enrolling,
    machines,
    plant,
    releases,
    rollouts,
    saying,
    steering,
    work,
)
from cloud_hub.console.api.operation import pages

__all__ = ["pages"]

AREAS = (
    machines,
    charts,
    saying,
    devices,
    enrolling,
    plant,
    releases,
    deciding,
    rollouts,
    steering,
    data,
    work,
    caller,
    document,
)
