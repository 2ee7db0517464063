"""Enough people have to say yes, each counts once, and an author may be kept from being all of them."""

import pytest

from cloud_hub.registry.approvals import standing
from models.declared.judging import Approval


@pytest.mark.parametrize(
    ("said", "rule", "enough"),
    [
        (["ada"], Approval(), True),
        (["bob"], Approval(), True),
        ([], Approval(), False),
        (["ada"], Approval(author_may=False), False),
        (["bob"], Approval(author_may=False), True),
        (["ada", "bob"], Approval(author_may=False), True),
        (["ada", "ada"], Approval(people=2), False),
        (["bob", "bob", "ada"], Approval(people=2), True),
        (["ada", "bob"], Approval(people=2, author_may=False), True),
        (["ada", "bob"], Approval(people=3), False),
        (["policy:retrain"], Approval(), True),
        (["policy:retrain"], Approval(author_may=False), False),
        (["policy:retrain", "ada"], Approval(author_may=False), False),
        (["policy:retrain", "bob"], Approval(author_may=False), True),
        (["policy:retrain", "ada"], Approval(people=2), False),
        (["corp:ada", "bob"], Approval(people=2), True),
        (["corp:ada"], Approval(author_may=False), True),
        (["my policy: yes"], Approval(author_may=False), True),
    ],
)
def test_people_approve_and_nobody_counts_twice(said: list[str], rule: Approval, enough: bool) -> None:
    assert standing(said, "ada", rule).enough is enough


def test_what_is_missing_is_said() -> None:
    assert standing(["ada"], "ada", Approval(people=3)).missing == (
        "2 more people have to approve it (1 of 3)"
    )
    assert standing(["ada"], "ada", Approval(people=2)).missing == "1 more person has to approve it (1 of 2)"
    assert standing(["ada"], "ada", Approval(author_may=False)).missing == (
        "ada asked for the training and may not approve it alone: another person has to"
    )
    assert standing(["bob", "ada", "bob"], "ada", Approval()).voices == ("bob", "ada")
