"""How far the world has moved from the dataset of the running release: reads, compares, starts nothing.

The dataset is read once for a release: its sketch is kept among the artifacts, and made
anew where it is gone or of other settings.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from cloud_hub.dataset import snapshot
from cloud_hub.dataset.reading import Query, read
from cloud_hub.errors import DatasetError
from cloud_hub.files import write_public
from cloud_hub.hub import Hub
from cloud_hub.monitor.drift import Drifted, compare
from cloud_hub.monitor.edges import tightened
from cloud_hub.monitor.lives_begun import aged, lives_begun
from cloud_hub.monitor.seen import Seen, see, used_inputs
from cloud_hub.monitor.sketch import Sketch
from cloud_hub.registry.keeping import SKETCHES
from cloud_hub.registry.manifests import conditions_of
from cloud_hub.registry.models import Model, Registry
from cloud_hub.training.slices import table_of
from kernels.conditions import ConditionTable
from models import conditions, graphs
from models.declared.retraining import Drift
from models.examples import Examples
from models.use_case import UseCase
from wire.clock import EPOCH, to_us

SEED = 20_261_127  # fixed: the same rows give the same figures


class _Release(NamedTuple):
    """What is watched."""

    use_case: UseCase
    model: Model
    runner: graphs.Runner
    own: ConditionTable | None  # conditions that its features are derived under

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(value.name for value in self.model.manifest.inputs)


def look(hub: Hub, use_case: UseCase, model: Model, rule: Drift) -> Drifted:
    """Hold the last ``rule.days`` of ``use_case`` against the dataset of ``model``.

    Raises DatasetError where there are no such rows, or the dataset is gone.
    """
    runner = graphs.Runner(Registry(hub.database, hub.artifacts, hub.clock).onnx(model), use_case.outputs)
    release = _Release(use_case, model, runner, conditions_of(model.manifest))
    sketch = _sketch(hub, release, rule)
    since = hub.clock.now() - timedelta(days=rule.days)
    seen = _seen(_recent(hub, release, since), release, sketch.table, _used(sketch, release))
    recent = sketch.code(seen.where(seen.times > to_us(since)))
    return compare(sketch, recent, rule, np.random.default_rng(SEED))


def _sketch(hub: Hub, release: _Release, rule: Drift) -> Sketch:
    path = hub.artifacts / SKETCHES / f"{release.model.release}.npz"
    try:
        kept = Sketch.from_bytes(path.read_bytes())
        if kept.days == rule.days:
            return kept
    except (OSError, ValueError, KeyError, BadZipFile):
        pass  # it is made from what is kept elsewhere
    dataset = snapshot.find(hub.database, hub.artifacts, release.model.manifest.lineage["dataset"])
    examples = dataset.examples()
    learnt = release.own or table_of(examples, release.use_case)[0]
    table = tightened(learnt, examples) if learnt else None
    used = used_inputs(_inputs(examples, release).features, release.runner)
    sketch = Sketch.of(_seen(examples, release, table, used), days=rule.days, table=table)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_public(path, sketch.to_bytes())
    return sketch


def _recent(hub: Hub, release: _Release, since: datetime) -> Examples:
    """Rows since then with their true ages; under conditions all rows, for each says what its past says."""
    use_case, now = release.use_case, hub.clock.now()
    start = EPOCH if release.own else since
    query = Query(
        machine_class=use_case.machine_class, feature_set=use_case.feature_set, since=start, until=now
    )
    examples = read(hub.database, query, use_case).examples
    begun = lives_begun(hub.database, examples, use_case.feature_set, since=start, now=now)
    return aged(examples, begun, use_case.life)


def _seen(examples: Examples, release: _Release, table: ConditionTable | None, used: tuple[int, ...]) -> Seen:
    inputs = _inputs(examples, release)
    if inputs.names != release.inputs:
        raise DatasetError(
            f"expected the {len(release.inputs)} features of {release.model.release}, got "
            f"{len(inputs.names)} others: the signals of its machines have changed"
        )
    found = conditions.conditions_of(_same_rows(examples, inputs), table) if table else np.zeros(len(inputs))
    return see(inputs, found.astype(np.int16), release.runner, used, release.use_case)


def _inputs(examples: Examples, release: _Release) -> Examples:
    """What the network takes."""
    return conditions.derive(examples, release.own) if release.own else examples


def _same_rows(examples: Examples, some: Examples) -> Examples:
    """Of ``examples`` the rows that ``some`` are made of; both are sorted."""
    moments = np.unique(examples.times)
    keys, wanted = (
        each.machine.astype(np.int64) * len(moments) + np.searchsorted(moments, each.times)
        for each in (examples, some)
    )
    return examples.where(np.isin(keys, wanted))


def _used(sketch: Sketch, release: _Release) -> tuple[int, ...]:
    names = sketch.variables[: -len(release.use_case.outputs)]
    return tuple(release.inputs.index(name) for name in names)
