from pathlib import Path

import pytest

from edge_agent.config import AgentConfig
from edge_agent.errors import ConfigError

GOOD = """
device = "press-04"
state_dir = "state"
profile = "generic-x86"

[feed]
address = "unix:/run/feed.sock"
"""

CRITICAL = GOOD + '\n[[updates.critical]]\nsignal = "speed"\n'


def load(tmp_path: Path, text: str) -> AgentConfig:
    file = tmp_path / "agent.toml"
    file.write_text(text)
    return AgentConfig.load(file)


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.state_dir == tmp_path / "state"
    assert config.uplink.window == 32
    assert (config.updates.windows, config.updates.critical) == ((), ())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GOOD + "\n[uplink]\nwindw = 3\n", "unknown setting uplink.windw"),
        ("colour = 1\n" + GOOD, "unknown setting colour"),
        (GOOD.replace('"press-04"', '"Press 04"'), "device: expected a name like press-04, got 'Press 04'"),
        (GOOD.replace("unix:/run/feed.sock", "http://x"), "feed.address: expected unix:/path"),
        (GOOD.replace('device = "press-04"', ""), "setting device is missing"),
        (
            GOOD + "\n[uplink]\nwindow = 0\n",
            "uplink.window: input should be greater than or equal to 1, got 0",
        ),
        (GOOD + "\n[uplink]\nmax_bytes_per_s = -1\n", "uplink.max_bytes_per_s: input should be greater"),
        (GOOD + "\n[uplink]\nresend_s = 90\n", "expected uplink.resend_s up to uplink.resend_max_s"),
        (GOOD + '\n[outbox]\nwhen_full = "panic"\n', "outbox.when_full"),
        (GOOD + '\n[updates]\nwindows = ["sun 2-4"]\n', "updates.windows.0: expected a window like 'sat,sun"),
        (GOOD + '\n[updates]\nzone = "Mars/Base"\n', "updates.zone: expected a time zone like Europe/Paris"),
        (CRITICAL, "updates.critical.0: expected above or below for the signal speed"),
        (
            CRITICAL + "above = 3\nbelow = 2\n",
            "updates.critical.0: expected above speed to be less than below",
        ),
        (CRITICAL + "above = nan\n", "updates.critical.0.above: input should be a finite number"),
        ('clock = "tomorrow"\n' + GOOD, "expected START,FACTOR"),
        ("device = ", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_with_the_name(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert sentence in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting a; .*unknown setting b"):
        load(tmp_path, "a = 1\nb = 2\n" + GOOD)


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="andon edge install"):
        AgentConfig.load(tmp_path / "nowhere.toml")


def test_the_environment_sets_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_CLOCK", "2026-01-01T00:00:00Z,10")
    assert load(tmp_path, GOOD).time().factor == 10
