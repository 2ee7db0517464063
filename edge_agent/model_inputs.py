"""What one machine's line gives a model: its feature row, or what the memory behind it says under a table.

Where a feature set is read under operating conditions, every release brings the
table it was trained with. The running one and the one beside it are each asked
what their own table makes of the same memory. A release that learnt from windows at
other rates is refused: the names are the same then, and the numbers mean others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.errors import FeatureMismatchError, InferenceError
from kernels.condition_trend import ConditionTrend, ConditionTrendExtractor
from kernels.errors import KernelInputError
from kernels.sets import Extractor, State
from wire.manifest import ConditionTable, Manifest, rate_misfit

KEPT = 4  # tables of the newest releases

Row = npt.NDArray[np.float32]


class UnknownConditionError(InferenceError):
    """The machine is run as none was when the model learnt."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    names: tuple[str, ...]
    row: Row  # float32 [width]


InputsOf = Callable[[Manifest], Inputs]  # as ``ModelInputs.of``, for the newest reading


class ModelInputs:
    """Of one machine, whose windows come at ``rates`` (Hz by waveform); tables are looked up once."""

    def __init__(self, extractor: Extractor, rates: Mapping[str, float]) -> None:
        self._extractor = extractor
        self._rates = rates
        self._under: dict[int, tuple[ConditionTable, ConditionTrend]] = {}

    def of(self, manifest: Manifest, row: Row, state: State) -> Inputs:
        """After the reading that made ``row`` and left ``state``.

        Raises UnknownConditionError, and FeatureMismatchError where the table, or the rate, is of other
        machines.
        """
        if misfit := rate_misfit(manifest.waveforms, self._rates):
            raise FeatureMismatchError(f"{manifest.release} learnt at another rate: {misfit}")
        if not isinstance(self._extractor, ConditionTrendExtractor):
            return Inputs(names=self._extractor.names, row=row)
        under = self._read_under(self._extractor, manifest)
        derived = under.derive(state)
        if derived is None:
            raise UnknownConditionError(f"{manifest.release}: the machine is run as none was in training")
        return Inputs(names=under.names, row=derived)

    def _read_under(self, extractor: ConditionTrendExtractor, manifest: Manifest) -> ConditionTrend:
        table = manifest.conditions
        known = self._under.get(id(table))
        if known is not None and known[0] is table:
            return known[1]
        if table is None:
            raise FeatureMismatchError(
                f"{manifest.release}: expected a table of operating conditions, got none"
            )
        try:
            under = extractor.under(table)
        except KernelInputError as error:
            raise FeatureMismatchError(f"{manifest.release}: {error}") from error
        while len(self._under) >= KEPT:
            del self._under[next(iter(self._under))]
        self._under[id(table)] = (table, under)
        return under
