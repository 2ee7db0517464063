"""What the doctor says of how many devices a hub can serve here."""

import resource

from cloud_hub.doctor import connections_check
from firmware_configs.host import State

PLENTY = 1 << 20


def test_a_limit_above_a_file_for_each_device_is_enough() -> None:
    for most in (12_500, resource.RLIM_INFINITY):
        check = connections_check(most=most, system=PLENTY, devices=12_000)
        assert (check.state, check.remedy) == (State.OK, "")


def test_a_limit_below_it_says_how_many_there_can_be_and_what_to_do() -> None:
    check = connections_check(most=4096, system=PLENTY, devices=12_000)
    assert (check.state, check.found) == (State.WARNING, "about 3596 (open files: 4096 at the most)")
    assert "LimitNOFILE=12500" in check.remedy
    assert "ulimit -n 12500" in check.remedy


def test_a_system_with_too_few_files_in_all_is_told_apart() -> None:
    check = connections_check(most=PLENTY, system=9_000, devices=12_000)
    assert (check.state, check.found) == (State.WARNING, "9000 files in all")
    assert check.remedy.startswith("sysctl -w fs.file-max=")
