"""Programs find devices of a rollout by what people find them by."""

from collections.abc import Callable

from cloud_hub.hub import Hub
from cloud_hub.rollout import read
from tests.console.console_programs import Program


def test_devices_are_found_by_name_and_by_reason_and_counted(
    program: Callable[..., Program], hub: Hub, rollout: str
) -> None:
    lea = program("lea", "viewer@lyon")
    with hub.database.transaction() as connection:
        connection.execute(
            "UPDATE rollout_device SET reason = 'golden inputs differ'"
            " WHERE device IN (SELECT id FROM device WHERE name IN ('cell-1', 'cell-3'))"
        )
    found = lea.get(f"/rollouts/{rollout}/devices", text="GOLDEN").json
    assert [each["device"] for each in found["items"]] == ["cell-1"]  # cell-3 is at tours
    assert found["total"] == 1
    by_name = lea.get(f"/rollouts/{rollout}/devices", text="cell-", size=1).json
    assert (len(by_name["items"]), by_name["total"]) == (1, 2)
    assert by_name["next"]
    none = lea.get(f"/rollouts/{rollout}/devices", text="cell-", state="no-such").json
    assert (none["items"], none["total"]) == ([], 0)
    hub.database.execute("UPDATE rollout_device SET reason = ''")


def test_rollouts_are_counted_without_a_look_at_all_their_devices(
    program: Callable[..., Program], hub: Hub, rollout: str
) -> None:
    """A year of rollouts to thousands of devices has millions of these, and every page was told their number."""
    hub.database.execute(
        """INSERT INTO rollout (id, use_case, release, plan, state, approvals, correlation, created_by, created, changed)
           SELECT id || '-' || number, use_case, release, plan, 'done', approvals, correlation, created_by,
                  created - interval '1 day', changed
             FROM rollout, generate_series(1, 4) AS numbered (number) WHERE id = %(rollout)s""",
        {"rollout": rollout},
    )
    found = program("ada", "admin").get("/rollouts", size=2).json
    assert (len(found["items"]), found["total"]) == (2, 5)
    assert program("lea", "viewer@lyon").get("/rollouts", size=1, page=2).json["total"] == 1
    assert "rollout_device" not in read.SQL["ids"].partition("EXISTS")[0]
    hub.database.execute("DELETE FROM rollout WHERE id LIKE %(like)s", {"like": f"{rollout}-%"})
