"""Making the dataset that somebody asked for: for a child process of `andon hub work`.

The outcome is written only by the attempt that owns the request. What is too bad to learn
from becomes no dataset; the reason stays with the request, for whoever asked.
"""

from cloud_hub.dataset.snapshot import snapshot
from cloud_hub.errors import HubError
from cloud_hub.flows import snapshots
from cloud_hub.flows.runs import TakenError
from cloud_hub.flows.snapshots import SQL
from cloud_hub.hub import Hub
from cloud_hub.store.database import Row
from cloud_hub.training import code
from kernels.errors import KernelError
from models import use_case as use_cases
from models.errors import ModelError
from wire.errors import WireError

SENTENCES = (HubError, ModelError, KernelError, WireError, OSError)  # their text says it all


def execute(hub: Hub, number: str) -> None:
    """Do what was asked under ``number``; a failure ends in its row. ``TakenError`` where nothing is left."""
    own = hub.database.row(SQL["own"], {"id": int(number)})
    if own is None:
        raise TakenError(f"dataset {number} is made already, or was never asked for")
    try:
        make(hub, own)
    except TakenError:
        raise
    except Exception as error:
        expected = isinstance(error, SENTENCES)
        sentence = str(error) if expected else f"{type(error).__name__}: {error}"
        snapshots.fail(hub, number, sentence, attempt=own["attempt"])
        if not expected:
            raise


def make(hub: Hub, own: Row) -> None:
    """Make it and say so, by the attempt that is ``own``; ``TakenError`` where another one is by then."""
    dataset = snapshot(
        hub.database,
        hub.artifacts,
        use_cases.find(own["use_case"], hub.config.use_cases),
        hub.clock,
        since=own["since"],
        datasets_url=hub.config.datasets_url,
        code=code.version(),
    )
    with hub.database.transaction() as connection:
        values = {"id": own["id"], "attempt": own["attempt"], "dataset": dataset.id}
        if connection.execute(SQL["finish"], values | {"now": hub.clock.now()}).fetchone() is None:
            raise TakenError(f"attempt {own['attempt']} at dataset {own['id']} was taken over")
        hub.record(
            connection,
            actor=snapshots.ACTOR,
            action="snapshot.done",
            subject=dataset.id,
            detail={"request": own["id"], "rows": dataset.rows, "hash": dataset.hash},
            correlation=own["correlation"],
        )
