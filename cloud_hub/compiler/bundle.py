"""Building the bundle of a release: networks, golden answers, manifest, card. Same model, same bytes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloud_hub.compiler.card import render
from cloud_hub.compiler.findings import Finding, findings
from cloud_hub.compiler.golden import choose
from cloud_hub.compiler.variants import Judge, Variant, weigh
from cloud_hub.errors import ConflictError
from cloud_hub.registry.manifests import conditions_of
from cloud_hub.registry.trace import Trace
from models import conditions
from models.examples import Examples, Floats, Mask
from models.graphs import Runner
from models.use_case import UseCase
from wire.bundle import Bundle, write_bundle

# Of held-out rows and the use case, the judge of other precisions: see ``cloud_hub.flows.precisions``.
Judging = Callable[[Examples, UseCase], Judge]


def build(
    trace: Trace, use_case: UseCase, onnx: bytes, examples: Examples, path: Path, *, judging: Judging
) -> tuple[Variant, ...]:
    """Write the bundle of ``trace.model`` to ``path``; returns what was weighed for it, taken or not.

    ``onnx`` is the registered network, ``examples`` the rows of its dataset: the golden inputs
    come from them, as the network takes them. ConflictError where they do not belong together.
    """
    made, weighed = assemble(trace, use_case, onnx, examples, judging=judging)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(path, made)
    return weighed


def assemble(
    trace: Trace, use_case: UseCase, onnx: bytes, examples: Examples, *, judging: Judging
) -> tuple[Bundle, tuple[Variant, ...]]:
    """The bundle that ``build`` writes, and what was weighed for it."""
    manifest = trace.model.manifest
    runner = Runner(onnx, [output.name for output in manifest.outputs])
    taken = _taken(trace, examples)
    inputs = choose(taken, answers=runner.run(taken.features), groups=_groups(trace, examples, taken))
    outputs = runner.run(inputs)
    if not np.isfinite(outputs).all():
        raise ConflictError(f"{manifest.release} answers its golden inputs with what is no number")
    weighed = _weighed(trace, use_case, onnx, taken, golden=inputs, judging=judging)
    made = Bundle(
        manifest=manifest,
        onnx=onnx,
        golden_inputs=inputs,
        golden_outputs=outputs,
        card_html=_card(trace, use_case, onnx, taken, weighed),
        variants={variant.precision: variant.onnx for variant in weighed if variant.taken},
    )
    return made, weighed


def _taken(trace: Trace, examples: Examples) -> Examples:
    """The rows of the dataset as the network takes them."""
    manifest = trace.model.manifest
    table = conditions_of(manifest)
    examples = conditions.derive(examples, table) if table else examples
    names = tuple(value.name for value in manifest.inputs)
    if names != examples.names:
        raise ConflictError(
            f"{manifest.release} takes {len(names)} features, its dataset has {len(examples.names)} "
            "others: was it trained on another one?"
        )
    return examples


def _groups(trace: Trace, stored: Examples, taken: Examples) -> NDArray[np.int64]:
    """[n] what each of the rows ``taken`` was read under: its operating condition, else its site."""
    table = conditions_of(trace.model.manifest)
    if table is None:
        sites = np.unique(np.array(taken.sites), return_inverse=True)[1].astype(np.int64)
        return np.asarray(sites[taken.machine])
    known, asked = (np.rec.fromarrays([rows.machine, rows.times]) for rows in (stored, taken))
    return conditions.conditions_of(stored, table)[np.isin(known, asked)]


def _weighed(
    trace: Trace, use_case: UseCase, onnx: bytes, examples: Examples, *, golden: Floats, judging: Judging
) -> tuple[Variant, ...]:
    held_out = _held_out(trace, examples)
    return weigh(
        trace.model.manifest,
        onnx,
        use_case.compile.precisions,
        golden=golden,
        learning=examples.where(~held_out),
        held_out=examples.where(held_out),
        judge=judging(examples.where(held_out), use_case),
    )


def _held_out(trace: Trace, examples: Examples) -> Mask:
    """[n] rows of machines that judged the network, and that it has not learnt from."""
    return examples.of_machines(frozenset(trace.source.metrics["held_out"]))


def _card(
    trace: Trace, use_case: UseCase, onnx: bytes, examples: Examples, weighed: Sequence[Variant]
) -> str:
    return render(
        trace.model.manifest,
        title=use_case.title,
        gate=trace.model.gate,
        metrics=trace.source.metrics,
        found=_found(trace, onnx, examples.where(_held_out(trace, examples))),
        precisions=[(str(variant.precision), variant.told()) for variant in weighed],
    )


def _found(trace: Trace, onnx: bytes, held_out: Examples) -> list[Finding]:
    """What the network says of the machines it has not learnt from; nothing where there are none."""
    if not len(held_out):
        return []
    names = [output.name for output in trace.model.manifest.outputs]
    answers = Runner(onnx, names).run(held_out.features)
    return findings(held_out, dict(zip(names, answers.T, strict=True)), trace.model.manifest)
