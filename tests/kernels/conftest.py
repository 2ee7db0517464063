"""Compile once before the first kernel test, so that no test is timed with the compiler."""

import pytest

from kernels import sets


@pytest.fixture(scope="session", autouse=True)
def _compiled_kernels() -> None:
    sets.warm()
