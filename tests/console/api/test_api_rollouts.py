"""Programs find devices of a rollout by what people find them by."""

from collections.abc import Callable

from cloud_hub.hub import Hub
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
