"""Whatever is sent: no mistake of the hub's own, answers as the document says, and what is wrong is refused.

Names that exist are mixed in, so that calls get behind the door; acts change the plant as they go.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from cloud_hub.hub import Hub
from tests.console.console_programs import Program
from tests.console.two_sites import planted

Programs = Callable[..., Program]

CASES = 5  # of each operation, each person and each kind
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
KNOWN = {
    "machines": {"name": "pump-1", "alarm": 1, "use_case": "motor-health"},
    "devices": {"name": "cell-1"},
    "rollouts": {"name": "motor-health-2.1"},
    "releases": {"use_case": "motor-health", "version": 2},
    "use-cases": {"use_case": "motor-health"},
    "datasets": {"digest": "motor-health-3f9a0c11d2e4"},
    "quarantine": {"name": 1},
    "audit": {"number": 1},
    "runs": {"run": "motor-health-r4"},
    "traces": {"correlation": "trace-2"},
}
UNANSWERED = {"what_if"}  # no scoring service runs beside a test: 503 is the honest answer
SETTINGS = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def plant(database_url: str, migrated_template: str) -> Iterator[Hub]:
    """One of its own: acts move it as they come."""
    with planted(database_url, migrated_template) as hub:
        yield hub


@pytest.mark.slow
@pytest.mark.parametrize("roles", [("admin",), ("viewer@lyon",)])
@pytest.mark.parametrize("kind", list(GenerationMode))
def test_nothing_that_is_sent_finds_a_mistake(
    app: Flask, hub: Hub, program: Programs, roles: tuple[str, ...], kind: GenerationMode
) -> None:
    asker = program("ada", *roles)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, headers=asker.headers)
    answers = [answer for each in _operations(schema) for answer in _tried(each, kind, asker)]
    assert len(answers) > 200, "hardly anything was tried"
    if kind is GenerationMode.POSITIVE:
        assert sum(200 <= code < 300 for code in answers) > len(answers) / 3, "most calls did not get in"


def _operations(schema: Any) -> Iterator[Any]:
    return (found.ok() for found in schema.get_all_operations())


def _tried(operation: Any, kind: GenerationMode, asker: Program) -> list[int]:
    """The statuses of what was answered; a failure says how to repeat the call."""
    load_all_checks()
    told = operation.definition.raw
    checks = CHECKS.get_by_names(
        [name for name in CHECKED if told["operationId"] not in UNANSWERED or name != CHECKED[0]]
    )
    answers: list[int] = []
    strategies = [
        operation.as_strategy(generation_mode=kind, headers=asker.headers, path_parameters=place or None)
        for place in _places(operation, kind)
    ]
    if not strategies:
        return []

    @SETTINGS
    @given(case=st.one_of(*strategies))
    def call(case: Any) -> None:
        answer = case.call(headers=asker.headers)
        answers.append(answer.status_code)
        case.validate_response(answer, checks=checks)

    call()
    return answers


def _places(operation: Any, kind: GenerationMode) -> list[dict[str, Any]]:
    """What its path names: made up, or known; no wrong calls where nothing can be wrong: any text is a name."""
    told = operation.definition.raw
    every = KNOWN.get(operation.path.split("/")[3], {})
    known = {name: every[name] for name in every if f"{{{name}}}" in operation.path}
    more = "requestBody" in told or any(each["in"] == "query" for each in told["parameters"])
    if kind is GenerationMode.POSITIVE:
        return [{}, known, known] if known else [{}]
    numbered = any(each["schema"].get("type") == "integer" for each in told["parameters"])
    return ([{}] if numbered or more else []) + ([known, known] if known and more else [])
