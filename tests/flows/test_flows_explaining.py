"""What a device said is explained from the very rows and the network that it was made with."""

import numpy as np
import pytest
from stored_machines import BEGIN_US, HOUR_US, fleet, life_of

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows import candidate
from cloud_hub.flows.explaining import explain_newest
from cloud_hub.flows.retrain import request
from cloud_hub.registry.models import Registry
from kernels.condition_trend import of_rows
from kernels.interval import apply
from models.graphs import Runner

USE_CASE = "turbofan-rul"
WORN = f"{USE_CASE}/1"


@pytest.fixture
def said(hub, stored):
    """A trained release, and what a device with it said of engine-3 all its life long: prediction rows."""
    fleet(stored, machines=12)
    candidate.execute(hub, request(hub, USE_CASE, actor="ada"))
    model = Registry(hub.database, hub.artifacts, hub.clock).get(WORN)
    features = life_of(stored, 3, 81)
    names = tuple(row["name"] for row in stored_names(stored, features))
    inputs = of_rows(names, ("1",) * len(names), model.manifest.conditions).derive_batch(features)
    life, anomaly = Runner(Registry(hub.database, hub.artifacts, hub.clock).onnx(model)).run(inputs).T
    low, high = apply(model.manifest.interval, life)
    rows = np.stack([life, low, high, anomaly], axis=1)
    stored.predict("engine-3", [BEGIN_US + HOUR_US * hour for hour in range(len(rows))], rows, WORN)
    return rows


def stored_names(stored, features):
    names = [*(f"{name}.last" for name, _ in stored.scalars), "age"]
    assert len(names) == features.shape[1]
    return [{"name": name} for name in names]


def test_the_hub_agrees_with_the_device_and_says_what_it_lacks(hub, stored, said):
    told = explain_newest(hub, "engine-3", USE_CASE)
    assert told.release == WORN
    assert told.apart < 1e-5
    assert told.caution == ""
    life = told.outputs["remaining_life"]
    assert life.answer == pytest.approx(float(said[-1, 0]), abs=1e-3)
    assert life.answer < life.sound
    worn = stored.scalars[-1][0]  # the one that drops towards the end
    assert worn in list(life.effects)[:2]  # beside the age, which tells nearly as much in this fleet
    assert life.effects[worn] < 0
    hub.database.execute("UPDATE prediction SET values[1] = values[1] + 25")
    assert "answer lay 20.0% of an output's range away" in explain_newest(hub, "engine-3", USE_CASE).caution
    with pytest.raises(NotFoundError, match="no prediction by turbofan-rul of a machine named 'engine-4'"):
        explain_newest(hub, "engine-4", USE_CASE)
    later = BEGIN_US + HOUR_US * 500
    stored.predict("engine-3", [later], said[-1:], WORN)
    with pytest.raises(NotFoundError, match=r"no feature row of \d{4}-.* of a machine named 'engine-3'"):
        explain_newest(hub, "engine-3", WORN)
    hub.database.execute("UPDATE run SET metrics = metrics - 'sound'")
    with pytest.raises(ConflictError, match="train the use case again"):
        explain_newest(hub, "engine-3", WORN)
