"""The hub's database, backed up while it runs and restored later, by the operator's own commands.

Its keys are at hand, so they stay; what the commands ask for, an empty database and nobody at work in it, is
what an operator would provide.
"""

import shutil
import time
from pathlib import Path

import psycopg
from chaos_world import INGESTS, World

DATABASE = "andon"


class HubImage:
    def __init__(self, world: World) -> None:
        self._world = world
        self._taken = 0

    @staticmethod
    def exists(world: World) -> bool:
        """Whether this version has the commands."""
        return "restored" in world.commands.text("hub", "--help")

    def take(self) -> Path:
        self._taken += 1
        folder = self._world.root / "images" / f"hub-{self._taken}"
        folder.parent.mkdir(exist_ok=True)
        self._world.commands.text("hub", "backup", str(folder), "--without-keys")
        return folder

    def restore(self, backup: Path) -> int:
        """Stop the hub, empty it, restore, start it; the moment from which on nothing was lost any more."""
        world = self._world
        locks = [world.locks[name] for name in INGESTS]
        for lock in locks:
            lock.acquire()
        try:
            for name in INGESTS:
                world.ingests[name].stop()
            stopped_us = time.time_ns() // 1000
            self._empty()
            world.commands.text("hub", "restore", str(backup))
            for name in INGESTS:
                world.ingests[name].start()
            return stopped_us
        finally:
            for lock in reversed(locks):
                lock.release()

    def _empty(self) -> None:
        server = self._world.postgres.conninfo("postgres")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {DATABASE}")
        for name in ("repository", "artifacts"):
            shutil.rmtree(self._world.hub_dir / name, ignore_errors=True)
