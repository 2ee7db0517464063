"""Building the bundle of a release: network, golden answers, manifest, card. Same model, same bytes."""

from pathlib import Path

import numpy as np

from cloud_hub.compiler.card import render
from cloud_hub.compiler.findings import Finding, findings
from cloud_hub.compiler.golden import choose
from cloud_hub.errors import ConflictError
from cloud_hub.registry.manifests import conditions_of
from cloud_hub.registry.trace import Trace
from models.conditions import derive
from models.examples import Examples
from models.graphs import Runner
from models.use_case import UseCase
from wire.bundle import Bundle, write_bundle


def build(trace: Trace, use_case: UseCase, onnx: bytes, examples: Examples, path: Path) -> str:
    """Write the bundle of ``trace.model`` to ``path``; returns the file's SHA-256, hex.

    ``onnx`` is the registered network, ``examples`` the rows of its dataset: the golden inputs
    come from them, as the network takes them. ConflictError where they do not belong together.
    """
    manifest = trace.model.manifest
    examples = _taken(trace, examples)
    inputs = choose(examples)
    outputs = Runner(onnx, [output.name for output in manifest.outputs]).run(inputs)
    if not np.isfinite(outputs).all():
        raise ConflictError(f"{manifest.release} answers its golden inputs with what is no number")
    bundle = Bundle(
        manifest=manifest,
        onnx=onnx,
        golden_inputs=inputs,
        golden_outputs=outputs,
        card_html=_card(trace, use_case, onnx, examples),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_bundle(path, bundle)


def card(trace: Trace, use_case: UseCase, onnx: bytes, examples: Examples) -> str:
    """The card that lies in the bundle of ``trace.model``, HTML; the arguments are those of ``build``."""
    return _card(trace, use_case, onnx, _taken(trace, examples))


def _taken(trace: Trace, examples: Examples) -> Examples:
    """The rows of the dataset as the network takes them."""
    manifest = trace.model.manifest
    table = conditions_of(manifest)
    examples = derive(examples, table) if table else examples
    names = tuple(value.name for value in manifest.inputs)
    if names != examples.names:
        raise ConflictError(
            f"{manifest.release} takes {len(names)} features, its dataset has {len(examples.names)} "
            "others: was it trained on another one?"
        )
    return examples


def _card(trace: Trace, use_case: UseCase, onnx: bytes, examples: Examples) -> str:
    metrics = trace.source.metrics
    held_out = examples.where(examples.of_machines(frozenset(metrics["held_out"])))
    return render(
        trace.model.manifest,
        title=use_case.title,
        gate=trace.model.gate,
        metrics=metrics,
        found=_found(trace, onnx, held_out),
    )


def _found(trace: Trace, onnx: bytes, held_out: Examples) -> list[Finding]:
    """What the network says of the machines it has not learnt from; nothing where there are none."""
    if not len(held_out):
        return []
    names = [output.name for output in trace.model.manifest.outputs]
    answers = Runner(onnx, names).run(held_out.features)
    return findings(held_out, dict(zip(names, answers.T, strict=True)), trace.model.manifest)
