"""The same network in other precisions: made from the float32 one, and taken only once proved.

A variant has to answer the golden inputs as the oracle does, within what its precision may be off by, and to
be no worse than float32 on the machines that judged the release, by the gate's own measure. One that is not
is left out by name: a device then runs float32, which is slower and right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from cloud_hub.compiler.half import check_room, to_fp16
from cloud_hub.compiler.parity import Comparison, compare
from cloud_hub.compiler.quantised import to_int8
from models.errors import GraphError
from models.examples import Examples
from models.graphs import Runner
from models.interface import FEATURES
from wire.manifest import Manifest
from wire.precision import Precision

MOST_ROWS = 4000  # to calibrate on, evenly over all
MOST_SAID = 300  # characters of why one is left out

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the machines that judged a release say of a variant of it."""

    passed: bool
    found: str
    bar: str


# Own answers and those of float32, [n, outputs] each, to the same rows of held-out machines.
Judge = Callable[[Floats, Floats], Held]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variant:
    precision: Precision
    onnx: bytes  # b"" where it could not be made
    golden: Comparison | None
    held: Held | None
    failed: str = ""  # why there is nothing to compare

    @property
    def taken(self) -> bool:
        return bool(self.golden and self.golden.agrees and self.held and self.held.passed)

    def told(self) -> str:
        """Whether it is taken and why, in a sentence."""
        if self.golden is None or self.held is None:
            return f"left out: {self.failed}"
        metric = f"{self.held.found}; asked {self.held.bar}"
        if self.taken:
            return f"yes: {self.golden.told()}; {metric}"
        return f"left out: {metric if self.golden.agrees else self.golden.told()}"


def weigh(
    manifest: Manifest,
    payload: bytes,
    precisions: Sequence[str],
    *,
    golden: Floats,
    learning: Examples,
    held_out: Examples,
    judge: Judge,
) -> tuple[Variant, ...]:
    """Each of ``precisions`` of the graph ``payload``, taken or not; ``golden`` are its golden inputs.

    INT8 is calibrated on the rows ``learning``; all rows as the network takes them.
    """
    names = [output.name for output in manifest.outputs]
    whole = Runner(payload, names)
    expected, known = whole.run(golden), whole.run(held_out.features)

    def weighed(precision: Precision) -> Variant:
        made = _made(payload, precision, learning)
        own = Runner(made, names)
        found = [own.run(golden), *_rounded(made, precision, names, golden)]
        compared = [compare(manifest, expected, each, precision) for each in found]
        return Variant(
            precision=precision,
            onnx=made,
            golden=max(compared, key=lambda each: each.farthest.share),
            held=judge(own.run(held_out.features), known),
        )

    return tuple(_or_left_out(weighed, Precision(name)) for name in precisions)


def _or_left_out(weighed: Callable[[Precision], Variant], precision: Precision) -> Variant:
    """A network made elsewhere may be none that can be converted: it is released in float32 all the same.

    So it is whatever goes wrong here: a release is not held up by what it can do without.
    """
    try:
        return weighed(precision)
    except GraphError as error:
        failed = str(error)
    except Exception as error:
        failed = f"it could not be weighed: {type(error).__name__}: {error}"
    return Variant(precision=precision, onnx=b"", golden=None, held=None, failed=_plain(failed))


def _plain(text: str) -> str:
    """One line that terminal, page and database take: a network made elsewhere has names of its own."""
    line = " ".join(text.split())[:MOST_SAID]
    return "".join(one if one.isprintable() else "?" for one in line)


def _made(payload: bytes, precision: Precision, learning: Examples) -> bytes:
    if precision is Precision.INT8:
        return to_int8(payload, learning.features[:: max(1, len(learning) // MOST_ROWS)])
    made = to_fp16(payload)
    check_room(payload, learning.features)
    return made


def _rounded(made: bytes, precision: Precision, names: Sequence[str], golden: Floats) -> list[Floats]:
    """The answers in FP16 with every step rounded to it, as a GPU rounds.

    ONNX Runtime has no FP16 on most CPUs: it computes in float32 and drops the rounding between, so a value
    too large for FP16 would not show. ONNX's own evaluator is slow and exact: for the golden inputs alone.
    """
    if precision is not Precision.FP16:
        return []
    try:
        evaluator = ReferenceEvaluator(onnx.load_model_from_string(made))
        with np.errstate(all="ignore"):
            answers = evaluator.run(list(names), {FEATURES: golden})
    except Exception as error:  # of any class, for an operator that it lacks
        raise GraphError(f"ONNX's own evaluator cannot run the graph: {error}") from error
    return [np.concatenate([*answers], axis=1).astype(np.float32)]
