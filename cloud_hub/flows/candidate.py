"""From stored data to a judged candidate: dataset, training, gate, registry, under one correlation id.

For a child process of `andon hub work`. The result is written only by the attempt
that owns the run: a worker that was given up for dead and comes back can overwrite nothing.
"""

import shutil
from datetime import datetime
from pathlib import Path

import structlog
from psycopg.types.json import Jsonb

from cloud_hub.dataset.snapshot import Dataset, find, snapshot
from cloud_hub.errors import DatasetError, HubError
from cloud_hub.flows import runs
from cloud_hub.flows.runs import SQL, Attempt
from cloud_hub.hub import Hub
from cloud_hub.registry.manifests import conditions_of, draw_up
from cloud_hub.registry.models import Registry
from cloud_hub.training import code
from cloud_hub.training.cluster import executor
from cloud_hub.training.fits import Fits
from cloud_hub.training.split import kinds_of, split
from cloud_hub.training.train import Candidate, Champion, adopt, train
from kernels.errors import KernelError
from models import use_case as use_cases
from models.errors import ModelError
from models.examples import Examples
from models.use_case import UseCase
from wire.errors import WireError
from wire.manifest import Manifest

SENTENCES = (HubError, ModelError, KernelError, WireError, OSError)  # their text says it all
ACTOR = "job:retrain"

log = structlog.get_logger()


def execute(hub: Hub, run: str) -> None:
    """Do the work of ``run``: for a child process of the worker. A failure ends in the run's row."""
    attempt = runs.own(hub, run)
    try:
        _work(attempt)
    except runs.TakenError:
        raise  # whoever owns the run now may use the fits
    except Exception as error:
        expected = isinstance(error, SENTENCES)
        sentence = str(error) if expected else f"{type(error).__name__}: {error}"
        runs.fail(hub, run, sentence, attempt=attempt.number)
        if not expected:
            raise
    shutil.rmtree(_fits(hub, run), ignore_errors=True)


def _work(attempt: Attempt) -> None:
    hub = attempt.hub
    use_case = use_cases.find(attempt.use_case, hub.config.use_cases)
    registry = Registry(hub.database, hub.artifacts, hub.clock)
    dataset = dataset_of(attempt, use_case)
    candidate = _candidate(attempt, dataset.examples(), use_case, _champion(registry, use_case))
    lineage = {
        "run": attempt.run,
        "dataset": dataset.id,
        "dataset_hash": dataset.hash,
        "code": code.version(),
        "correlation": attempt.correlation,
    }
    manifest = draw_up(
        use_case,
        names=candidate.names,
        units=candidate.units,
        waveforms=dataset.waveforms,
        table=candidate.conditions,
        interval=candidate.interval,
        alarms=candidate.alarms,
        highest_anomaly=candidate.highest_anomaly,
        lineage=lineage,
    )
    _finish(attempt, registry, candidate, manifest)


def dataset_of(attempt: Attempt, use_case: UseCase) -> Dataset:
    """What an earlier attempt began with, so that its finished fits count; else what the store holds now."""
    hub = attempt.hub
    attempt.progress("dataset", 0.0)
    if attempt.dataset is not None:
        return find(hub.database, hub.artifacts, attempt.dataset)
    dataset = _of_new_world(attempt, use_case) or _snapshot(hub, use_case)
    attempt.begin_with(dataset.id)
    return dataset


def _of_new_world(attempt: Attempt, use_case: UseCase) -> Dataset | None:
    """The rows that the run asks to learn from alone; None where it asks for all, or those cannot teach."""
    if "since" not in attempt.settings:
        return None
    try:
        dataset = _snapshot(attempt.hub, use_case, datetime.fromisoformat(attempt.settings["since"]))
        split(kinds_of(dataset.examples(), use_case), use_case)
    except DatasetError as error:
        _say_all_are_taken(attempt, str(error))
        return None
    return dataset


def _say_all_are_taken(attempt: Attempt, reason: str) -> None:
    log.info("a training takes older rows along", run=attempt.run, reason=reason)
    with attempt.hub.database.transaction() as connection:
        attempt.hub.record(
            connection,
            actor=ACTOR,
            action="retrain.all_rows",
            subject=attempt.run,
            detail={"since": attempt.settings["since"], "reason": reason},
            correlation=attempt.correlation,
        )


def _snapshot(hub: Hub, use_case: UseCase, since: datetime | None = None) -> Dataset:
    return snapshot(
        hub.database,
        hub.artifacts,
        use_case,
        hub.clock,
        since=since,
        datasets_url=hub.config.datasets_url,
        code=code.version(),
    )


def _candidate(
    attempt: Attempt, examples: Examples, use_case: UseCase, champion: Champion | None
) -> Candidate:
    hub, progress = attempt.hub, attempt.progress
    if "onnx" in attempt.settings:
        onnx = (hub.artifacts / attempt.settings["onnx"]).read_bytes()
        learnt = attempt.settings.get("learnt_from")
        return adopt(
            examples,
            use_case,
            onnx,
            learnt_from=None if learnt is None else frozenset(learnt),
            champion=champion,
            progress=progress,
        )
    with executor(hub.config.dask_scheduler) as chosen:
        return train(
            examples,
            use_case,
            champion=champion,
            progress=progress,
            executor=chosen,
            fits=Fits(_fits(hub, attempt.run)),
        )


def _fits(hub: Hub, run: str) -> Path:
    """Where the finished fits of ``run`` wait for another attempt at it."""
    return hub.artifacts / "runs" / run


def _champion(registry: Registry, use_case: UseCase) -> Champion | None:
    made = registry.aliased(use_case.name, "champion")
    if made is None:
        return None
    return Champion(
        release=made.release,
        onnx=registry.onnx(made),
        learning=registry.learning(made),
        conditions=conditions_of(made.manifest),
    )


def _finish(attempt: Attempt, registry: Registry, candidate: Candidate, manifest: Manifest) -> None:
    """Run and model appear together, and only if this attempt still owns the run."""
    hub = attempt.hub
    verdict = candidate.verdict.to_fields()
    with hub.database.transaction() as connection:
        attempt.hold(connection)
        release = registry.register(
            connection, run=attempt.run, onnx=candidate.onnx, manifest=manifest, gate=verdict
        )
        made = manifest.lineage
        result = {"dataset": made["dataset"], "code": made["code"], "now": hub.clock.now()}
        owned = {"run": attempt.run, "attempt": attempt.number}
        connection.execute(SQL["finish"], owned | result | {"metrics": Jsonb(dict(candidate.metrics))})
        hub.record(
            connection,
            actor=ACTOR,
            action="retrain.done",
            subject=attempt.run,
            detail={"release": release, "passed": verdict["passed"], "reason": verdict["reason"]},
            correlation=attempt.correlation,
        )
