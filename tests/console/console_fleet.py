"""A small fleet at two sites, as far as rollouts look at it; quicker to make than a whole plant."""

from datetime import timedelta

from psycopg.types.json import Jsonb

from cloud_hub.hub import Hub

USE_CASE = "motor-health"
MANIFEST = {"machine_class": "motor-pump", "targets": ["*"]}
DEVICES = {"cell-1": "lyon", "cell-2": "lyon", "cell-3": "tours", "cell-4": "tours"}
ZONES = {"lyon": "Europe/Paris", "tours": "Asia/Tokyo"}


def fleet(hub: Hub, *, more: int = 0) -> None:
    """Four devices that run motor-health/1, and ``more``; releases 1 and 2, and one that its gate refused."""
    now = hub.clock.now()
    with hub.database.transaction() as connection:
        for site, zone in ZONES.items():
            connection.execute("INSERT INTO site (name, zone) VALUES (%s, %s)", [site, zone])
        names = {**DEVICES, **{f"press-{number:04}": "lyon" for number in range(more)}}
        connection.execute(
            """INSERT INTO device (name, site, profile, tags, key_fingerprint, added, enrolled, online, target)
               SELECT chosen.name, s.id, 'generic-x86', CASE WHEN chosen.name = 'cell-1' THEN ARRAY ['canary'] ELSE '{}' END,
                      chosen.name, %s, %s, true, 'linux-x86_64'
                 FROM unnest(%s::text[], %s::text[]) AS chosen (name, site) JOIN site s ON s.name = chosen.site""",
            [now, now, list(names), list(names.values())],
        )
        connection.execute(
            """INSERT INTO machine (name, device, machine_class, feature_set, added)
               SELECT 'pump-' || name, id, 'motor-pump', 'vibration-trend/1', %s FROM device""",
            [now],
        )
        for version, state in ((1, "released"), (2, "released"), (3, "refused"), (4, "candidate")):
            run, released = f"{USE_CASE}-r{version}", state == "released"
            connection.execute(
                """INSERT INTO run (id, use_case, state, progress, correlation, created)
                   VALUES (%s, %s, 'done', 1, 'trace', %s)""",
                [run, USE_CASE, now],
            )
            connection.execute(
                """INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate,
                                      bundle_path, bundle_sha256, created, released)
                   VALUES (%s, %s, %s, %s, %s, 'x', 'y', %s, %s, %s, %s, %s, %s)""",
                [
                    *(USE_CASE, version, f"{USE_CASE}/{version}", run, state, Jsonb(MANIFEST)),
                    Jsonb({"passed": released, "reason": "RMSE 71 h, asked <= 58 h"}),
                    *(("b.zip", "ab" * 32) if released else (None, None)),
                    *(now - timedelta(days=1), now if released else None),
                ],
            )
        connection.execute(
            """INSERT INTO device_release (device, use_case, release, accepted_sequence, state, changed)
               SELECT id, %s, %s, 1, 'idle', %s FROM device""",
            [USE_CASE, f"{USE_CASE}/1", now],
        )
