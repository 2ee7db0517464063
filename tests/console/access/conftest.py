"""One plant at two sites for every test of who may do what; people are new in each."""

from tests.console.two_sites import config, hub, plant, rollout

__all__ = ["config", "hub", "plant", "rollout"]
