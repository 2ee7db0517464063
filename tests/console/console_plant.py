"""x"""

from tests.console import console_seed


def seed(hub, enter):
    return console_seed.seed(hub)
