"""A plant at two sites, and programs with tokens of people who hold roles there."""

from collections.abc import Callable, Collection

import pytest
from flask import Flask

from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Permission
from tests.console.console_programs import Program
from tests.console.two_sites import config, hub, plant, rollout

__all__ = ["config", "hub", "plant", "rollout"]


@pytest.fixture
def program(app: Flask, office: Office) -> Callable[..., Program]:
    """``program("lea", "operator@lyon")``: lea's token, with every scope that she may give it, or those named."""

    def make(name: str, *roles: str, scopes: Collection[Permission] = ()) -> Program:
        return Program.of(app, office, name, roles, scopes)

    return make
