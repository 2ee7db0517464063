"""How old machines are, for rows that were read without the beginnings of their lives."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from cloud_hub.store.database import Database, load_queries
from models.declared.machines import Life
from models.examples import Examples
from wire.clock import to_us

SQL = load_queries("cloud_hub.monitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A life that was going on at the moment from which rows were read."""

    began_us: int
    rows: int  # it has had before that moment


def lives_begun(
    database: Database, examples: Examples, feature_set: str, *, since: datetime, now: datetime
) -> dict[str, Begun]:
    """The lives that the machines of ``examples`` were in at ``since``, as far as ``now`` is known."""
    asked = {"machines": list(examples.machines), "feature_set": feature_set, "since": since, "now": now}
    return {
        row["name"]: Begun(began_us=to_us(row["began"]), rows=row["rows"])
        for row in database.rows(SQL["begun"], asked)
    }


def aged(examples: Examples, begun: Mapping[str, Begun], life: Life) -> Examples:
    """``examples`` with the age of rows in lives that had begun before the first row counted from there."""
    age = examples.age.copy()
    for number in np.unique(examples.machine):
        own = np.flatnonzero(examples.machine == number)
        going_on = own[examples.life[own] == examples.life[own[0]]]
        known = begun.get(examples.machines[number])
        if known is None:
            continue
        if life.measured_in == "readings":
            age[going_on] += known.rows
        else:
            age[going_on] += (examples.times[own[0]] - known.began_us) / life.us_per_unit
    return replace(examples, age=age)
