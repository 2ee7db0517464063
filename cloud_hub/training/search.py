"""A small search: the settings that a use case lists, each tried on the machines that are learnt from.

They are told apart by the figure that the gate judges by, on machines that a member
had not seen; the gate's own machines are never looked at. The first of equals wins.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cloud_hub.errors import DatasetError
from cloud_hub.training.making import Made, Workshop, make_network
from cloud_hub.training.task_card import task_card
from models.declared.learning import Search, Try
from models.examples import Examples
from models.use_case import UseCase

AS_WRITTEN = Try()


def best_network(
    rows: Examples, use_case: UseCase, workshop: Workshop, *, now: Callable[[], float] = time.monotonic
) -> Made:
    """The network of the best settings in ``budget.search``; of those as written where it asks for none.

    What was tried, with its error, and what there was no time for stands in the metrics. A search that
    time cut short may end elsewhere on another day.
    """
    search = use_case.budget.search
    if search is None:
        return make_network(rows, use_case, workshop)
    return _Search(rows, use_case, workshop, search, now).run()


class _Search:
    def __init__(
        self,
        rows: Examples,
        use_case: UseCase,
        workshop: Workshop,
        search: Search,
        now: Callable[[], float],
    ) -> None:
        if use_case.task == "anomaly":
            raise DatasetError(
                "the task anomaly learns from sound rows alone, so there is no error to choose settings by: "
                "take budget.search away"
            )
        self.rows, self.use_case, self.workshop, self.now = rows, use_case, workshop, now
        self.search = search
        self.tried: list[dict[str, Any]] = []

    def run(self) -> Made:
        began, longest = self.now(), 0.0
        tries = [AS_WRITTEN, *self.search.tries]
        best, least = None, np.inf
        for number, each in enumerate(tries):
            start = self.now()
            if best is not None and start - began + longest > self.search.seconds:
                break
            made, error = self._try(each, f"try {number + 1} of {len(tries)}")
            longest = max(longest, self.now() - start)
            self.tried.append(_told(each) | {"error": error, "seconds": round(self.now() - start, 2)})
            if best is None or error < least:
                best, least, chosen = made, error, number
        assert best is not None
        left = [_told(each) for each in tries[len(self.tried) :]]
        found = {"tried": self.tried, "chosen": chosen, "not_tried": left, "seconds": self.search.seconds}
        return replace(best, metrics={**best.metrics, "search": found})

    def _try(self, each: Try, name: str) -> tuple[Made, float]:
        def watch(stage: str, share: float) -> None:
            self.workshop.watch(f"{stage} ({name})", share)

        use_case = with_settings(self.use_case, each)
        made = make_network(self.rows, use_case, replace(self.workshop, watch=watch))
        return made, task_card(self.rows, made.unseen, use_case).figure


def with_settings(use_case: UseCase, each: Try) -> UseCase:
    """``use_case`` with the settings of ``each`` in place of its own."""
    network = {**use_case.network.model_dump(exclude_unset=True), **each.network}
    budget = {**use_case.budget.model_dump(exclude_unset=True), **each.budget}
    written = use_case.model_dump(exclude_unset=True, exclude={"network", "budget"})
    return UseCase.model_validate(written | {"network": network, "budget": budget})


def _told(each: Try) -> dict[str, Any]:
    parts: Mapping[str, Mapping[str, Any]] = {"network": each.network, "budget": each.budget}
    return {
        "settings": {f"{part}.{name}": value for part, own in parts.items() for name, value in own.items()}
    }
