"""Compiled kernels run wherever the agent is installed, also where nothing can be cached."""

from kernels.compiled import compiled, compiled_sum


def test_a_function_without_a_place_for_its_machine_code_is_compiled_all_the_same() -> None:
    scope: dict = {}
    exec("def double(x):\n    return 2 * x", scope)  # no file, hence no cache beside it
    assert compiled(scope["double"])(21) == 42
    assert compiled_sum(scope["double"])(1.5) == 3.0
