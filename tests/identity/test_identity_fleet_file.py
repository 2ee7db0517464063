"""A file of devices becomes a fleet whole or not at all, and what is wrong with it is told with its line."""

import json
import stat

import pytest
from typer.testing import CliRunner

from cloud_hub.device_cli import device_app
from cloud_hub.errors import ConfigError
from cloud_hub.identity.devices import NewDevice
from cloud_hub.identity.fleet_file import parse
from edge_agent.enrolment import enroll

GOOD = """\
name,site,profile,tags,zone
press-04,plant-1,orin-nx,line-2;pilot,Europe/Berlin
press-05,plant-1,,,
pump-07,plant-2,generic,,
"""


@pytest.fixture
def add(enrolling_hub, monkeypatch, tmp_path):
    """`andon device add --from FILE`; returns the result and where the tokens go."""
    settings = enrolling_hub.config.state_dir / "hub.toml"
    settings.write_text(f'database_url = "{enrolling_hub.config.database_url}"\n')
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(settings))

    def run(text, *options, out=tmp_path / "tokens.jsonl"):
        file = tmp_path / "fleet.csv"
        file.write_text(text)
        command = ["add", "--from", str(file), "--tokens-file", str(out), *options]
        return CliRunner().invoke(device_app, command), out

    return run


def test_only_name_and_site_are_needed_and_the_columns_stand_in_any_order():
    assert parse(["site,name", "plant-1,press-04"]) == [NewDevice(name="press-04", site="plant-1", line=2)]


def test_a_line_says_all_there_is_to_say_of_a_device():
    (device, *_) = parse(GOOD.splitlines(keepends=True))
    assert (device.profile, device.tags, device.zone) == ("orin-nx", ("line-2", "pilot"), "Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: expected a header with name and site, got"),
        ("name\npress-04", "line 1: expected a header with site, got name"),
        ("name,site,colour\na,b,red", "line 1: expected columns out of .*, got colour"),
        ("name,site\npress-04", "line 2: expected as many values"),
        ("name,site\na,b\npress-04,b,c", "line 3: expected as many values"),
        ('name,site\na,"b', "line 2: unexpected end"),
        ("name,site\na,b\nc,b\na,b", "line 4: device 'a' stands on line 2 already"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_line(text, reason):
    with pytest.raises(ConfigError, match=reason):
        parse(text.splitlines(keepends=True))


def test_a_file_becomes_devices_with_tokens_that_enrol(enrolling_hub, add):
    result, out = add(GOOD)
    assert (result.exit_code, result.output) == (0, f"added 3 devices; their tokens are in {out}\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    tokens = {row["device"]: row["token"] for row in map(json.loads, out.read_text().splitlines())}
    assert list(tokens) == ["press-04", "press-05", "pump-07"]
    enroll(enrolling_hub.agent("press-05"), tokens["press-05"])
    rows = enrolling_hub.database.rows(
        "SELECT device.name, site.name AS site, zone, profile, tags FROM device JOIN site ON site.id = site"
        " ORDER BY 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("press-04", "plant-1", "Europe/Berlin", "orin-nx", ["line-2", "pilot"]),
        ("press-05", "plant-1", "Europe/Berlin", "generic", []),
        ("pump-07", "plant-2", "UTC", "generic", []),
    ]
    (act,) = enrolling_hub.database.rows("SELECT action, subject, detail FROM audit")
    assert tuple(act.values()) == ("device.add", "fleet.csv", {"devices": 3})


WRONG = {
    "hub,plant-1": "line 5: 'hub' is the hub's own name",
    "Press 9,plant-1": "line 5: expected a device name",
    "press-09,Plant 1": "line 5: expected a site name",
    "press-09,plant-1,toaster": "line 5: no device profile named 'toaster'",
    "press-09,plant-1,,,Mars/Olympus": "line 5: expected an IANA time zone",
    "press-09,plant-1,,,Asia/Tokyo": "line 5: site 'plant-1' is in Europe/Berlin, not in Asia/Tokyo",
    "taken,plant-1": "line 5: device 'taken' is there already",
}


def test_one_wrong_line_adds_nothing_at_all(enrolling_hub, add, tmp_path):
    assert add("name,site\ntaken,plant-9\n", out=tmp_path / "first")[0].exit_code == 0
    for line, reason in WRONG.items():
        result, out = add(GOOD + line + "," * (4 - line.count(",")) + "\n")
        assert result.exit_code == 1
        assert reason in str(result.exception)
        assert not out.exists()
        assert enrolling_hub.database.rows("SELECT name FROM device") == [{"name": "taken"}]
        assert enrolling_hub.database.rows("SELECT name FROM site") == [{"name": "plant-9"}]


def test_where_the_tokens_cannot_be_kept_no_device_is_added(enrolling_hub, add, tmp_path):
    result, _ = add(GOOD, out=tmp_path / "nowhere" / "tokens")
    assert "cannot be written" in str(result.exception)
    assert enrolling_hub.database.rows("SELECT FROM device") == []


def test_tokens_of_an_earlier_file_are_not_written_over(add, tmp_path):
    (tmp_path / "tokens.jsonl").write_text("still needed")
    result, out = add(GOOD)
    assert "is there already" in str(result.exception)
    assert out.read_text() == "still needed"


def test_a_name_beside_a_file_and_neither_of_them_are_refused_in_words(add):
    assert "the file says all" in str(add(GOOD, "press-04")[0].exception)
    assert "the file says all" in str(add(GOOD, "--again")[0].exception)
    assert "expected the NAME" in str(CliRunner().invoke(device_app, ["add"]).exception)


def test_ten_thousand_devices_take_a_few_statements(enrolling_hub, add):
    text = "name,site\n" + "".join(f"device-{number:05},plant-{number % 20}\n" for number in range(10_000))
    result, out = add(text, "--json")
    assert json.loads(result.output) == {"devices": 10_000, "tokens_file": str(out)}
    assert enrolling_hub.database.row("SELECT count(*) FROM enrol_token")["count"] == 10_000
