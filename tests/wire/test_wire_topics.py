import pytest

from wire.errors import TopicError
from wire.topics import INGEST_FILTERS, Channel, Topic, device_filters


@pytest.mark.parametrize(
    "topic",
    [Topic("press-04", Channel.BATCH), Topic("press-04", Channel.DIRECTIVE, "motor-health")],
)
def test_topic_survives_a_round_trip(topic: Topic) -> None:
    assert Topic.parse(str(topic)) == topic


@pytest.mark.parametrize(
    "text",
    [
        "andon/v1/+/batch",
        "andon/v1/a/b/batch",
        "andon/v2/a/batch",
        "x/andon/v1/a/batch",
        "andon/v1/a/nope",
        "andon/v1/a/directive",
        "andon/v1/a/directive/",
        "andon/v1/a/batch/motor-health",
        "andon/v1/a",
        "andon/v1//batch",
        "",
    ],
)
def test_foreign_topic_is_refused(text: str) -> None:
    with pytest.raises(TopicError):
        Topic.parse(text)


@pytest.mark.parametrize("name", ["#", "+", "a/b", "", "A", "a" * 64, "-a"])
def test_a_device_name_cannot_widen_a_filter(name: str) -> None:
    with pytest.raises(TopicError):
        device_filters(name)


def test_ingest_shares_what_devices_say() -> None:
    assert "$share/ingest/andon/v1/+/batch" in INGEST_FILTERS
