"""What is kept of a judgement, as plain values: enough to compare two releases a year later. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cloud_hub.training.pairing import Pairing
from cloud_hub.training.scorecard import Scorecard
from models.declared.judging import Gate


def of_card(card: Scorecard) -> dict[str, Any]:
    """What the card says on its own; the figure stands under its own name too: ``rmse`` in ``unit``."""
    named = card.measure.name.lower().replace(" ", "_")
    return {
        "figure": {"name": card.measure.name, "value": card.figure, "unit": card.measure.unit},
        named: card.figure,
        "unit": card.measure.unit,
        "squared": card.measure.squared,
        "least": card.measure.least,
        "machines": list(card.machines),
        "losses": list(card.loss),
        "rows": card.rows,
        "coverage": card.coverage,
        "interval_width": card.width,
        **card.more,
    }


def of_duel(card: Scorecard, rival: str, against: Scorecard, found: Pairing, rule: Gate) -> dict[str, Any]:
    """The comparison machine by machine, on those that ``found`` holds."""
    own, other = (np.array(each.only(found.machines).loss) for each in (card, against))
    return {
        "rival": rival,
        "machines": list(found.machines),
        "own": found.own,
        "other": found.other,
        "ratio": list(found.ratio_band(rule.confidence)),
        "machines_better": int((own < other).sum()),
        "chance_better": found.chance_better,
    }


def of_slices(card: Scorecard, parts: Mapping[str, Pairing], rule: Gate) -> list[dict[str, Any]]:
    rows = []
    for part in card.slices:
        figure = float(card.measure.figure(part.loss))
        row: dict[str, Any] = {"name": part.name, "machines": len(part.machines), "figure": figure}
        row["losses"] = dict(zip(part.machines, part.loss, strict=True))
        if (found := parts.get(part.name)) is not None:
            row |= {"common": len(found.machines), "own": found.own, "champion": found.other}
            row["judged"] = len(found.machines) >= rule.slice_machines
        rows.append(row)
    return rows
