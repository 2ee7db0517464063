"""What devices predicted, read back from the store."""

from collections.abc import Sequence

from cloud_hub.registry.models import SQL
from cloud_hub.store.database import Database, Row


def predictions_of(database: Database, named: str, machines: Sequence[str], *, last: bool) -> list[Row]:
    """``machine``, ``time``, ``release`` and ``values`` of the predictions by a release or a whole use case.

    ``named`` is a release ("motor-health/3") or a use case; in time order for each
    machine, or only the ``last`` of each.
    """
    like = named if "/" in named else f"{named}/%"
    query = SQL["last_predictions" if last else "all_predictions"]
    return database.rows(query, {"like": like, "machines": list(machines)})
