"""Every area of the API; importing them declares their operations."""

from cloud_hub.console.api import (
    caller,
    captured,
    charts,
    data,
    deciding,
    decisions,
    devices,
    document,
    enrolling,
    machines,
    plant,
    quarantined,
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
    captured,
    saying,
    devices,
    enrolling,
    plant,
    releases,
    deciding,
    rollouts,
    steering,
    data,
    quarantined,
    work,
    decisions,
    caller,
    document,
)
