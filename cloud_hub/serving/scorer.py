"""One release that answers: its network on one thread, its intervals, its own inputs and no others.

The hub's own ONNX Runtime session answers as the devices' does; before it answers
anybody, it has answered the golden inputs of its bundle as the network did where it was made.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloud_hub.errors import ConflictError
from kernels import interval
from models.errors import GraphError
from models.graphs import Runner
from wire.bundle import Bundle
from wire.manifest import BOUNDS, INTERVAL_OF, Manifest, row_names
from wire.precision import Precision, shares
from wire.scoring import Answer, Question, check_inputs

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scorer:
    manifest: Manifest
    runner: Runner

    @classmethod
    def of(cls, bundle: Bundle) -> "Scorer":
        """``ConflictError`` for a network that does not run here, or not as it did where it was made."""
        manifest = bundle.manifest
        try:
            runner = Runner(bundle.onnx, [output.name for output in manifest.outputs])
            found = runner.run(bundle.golden_inputs)
        except GraphError as error:
            raise ConflictError(f"{manifest.release}: {error}") from error
        scorer = cls(manifest=manifest, runner=runner)
        expected = bundle.golden_outputs
        if found.shape != expected.shape:
            raise ConflictError(
                f"{manifest.release}: expected golden outputs {expected.shape}, got {found.shape}"
            )
        off = shares(manifest, expected, found, Precision.FP32) > 1
        if off.any():
            rows = int(off.any(axis=1).sum())
            raise ConflictError(
                f"{manifest.release} answers {rows} of {len(found)} golden inputs otherwise than where it "
                "was made: compare the versions of ONNX Runtime"
            )
        return scorer

    def answer(self, question: Question) -> Answer:
        """``MessageError`` where the question's columns are not this release's inputs."""
        check_inputs(question, self.manifest)
        units = {output.name: output.unit for output in self.manifest.outputs}
        units |= dict.fromkeys(BOUNDS, units.get(INTERVAL_OF, "1"))
        names, table = row_names(self.manifest), self.manifest.interval
        return Answer(
            release=self.manifest.release,
            names=names,
            units=tuple(units[name] for name in names),
            coverage=table.coverage if table is not None and BOUNDS[0] in names else None,
            rows=self.score(question.rows),
        )

    def score(self, rows: Matrix) -> Matrix:
        """[n, width] to [n, k]: what a device would have stored as prediction rows."""
        outputs = self.runner.run(rows)
        names, table = row_names(self.manifest), self.manifest.interval
        if table is None or BOUNDS[0] not in names:
            return outputs
        place = names.index(BOUNDS[0])
        bounds = interval.apply(table, outputs[:, place - 1])
        return np.insert(outputs, [place, place], np.stack(bounds, axis=1).astype(np.float32), axis=1)
