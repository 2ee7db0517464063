"""One table says who may do what; it is written down here a second time, so that no change goes unseen."""

import itertools

import pytest

from cloud_hub.identity.people.permissions import (
    FLEET_WIDE,
    MAY,
    NEVER_BY_TOKEN,
    Grant,
    Permission,
    Rights,
    Role,
    roles_with,
)

#                    viewer engineer operator approver admin
TABLE = """
account              x      x        x        x        x
see                  x      x        x        x        x
ask                  .      x        x        x        x
audit                .      x        x        x        x
metrics              .      x        x        x        x
alarm.judge          .      x        x        .        x
label                .      x        x        .        x
data                 .      x        .        .        x
train                .      x        .        .        x
approve              .      .        .        x        x
rollout.start        .      .        x        .        x
rollout.pause        .      x        x        x        x
rollout.steer        .      .        x        .        x
rollout.widen        .      .        .        x        x
device.pin           .      .        x        .        x
device.enrol         .      .        x        .        x
device.retire        .      .        x        .        x
keys                 .      .        .        .        x
people               .      .        .        .        x
"""
ROWS = {line.split()[0]: line.split()[1:] for line in TABLE.strip().splitlines()}


def test_the_table_knows_every_permission_and_role() -> None:
    assert list(ROWS) == list(Permission)
    assert MAY.keys() == set(Role)


@pytest.mark.parametrize(("permission", "role"), list(itertools.product(Permission, Role)))
def test_each_role_may_what_the_table_says(permission: Permission, role: Role) -> None:
    said = ROWS[permission][list(Role).index(role)] == "x"
    assert (permission in MAY[role]) == said == (role in roles_with(permission))


@pytest.mark.parametrize(("permission", "role"), list(itertools.product(Permission, Role)))
def test_a_role_holds_where_it_was_given_and_nowhere_else(permission: Permission, role: Role) -> None:
    has, wide = permission in MAY[role], permission in FLEET_WIDE
    here, everywhere = Rights(frozenset({Grant(role, "lyon")})), Rights(frozenset({Grant(role)}))
    assert everywhere.may(permission) == everywhere.may(permission, {"lyon", "tours"}) == has
    assert here.may(permission) == here.may(permission, {"lyon"}) == (has and not wide)
    assert not here.may(permission, {"tours"})
    assert not here.may(permission, {"lyon", "tours"})
    assert not here.may(permission, set())
    assert everywhere.sites(permission) == (None if has else frozenset())
    assert here.sites(permission) == (frozenset({"lyon"}) if has else frozenset())


def test_roles_at_several_sites_add_up_and_do_not_mix() -> None:
    rights = Rights(frozenset({Grant(Role.OPERATOR, "lyon"), Grant(Role.VIEWER, "tours")}))
    assert rights.may(Permission.SEE, {"lyon", "tours"})
    assert rights.may(Permission.STEER, {"lyon"})
    assert not rights.may(Permission.STEER, {"lyon", "tours"})


@pytest.mark.parametrize("permission", list(Permission))
def test_a_token_may_what_its_scopes_and_its_person_both_may(permission: Permission) -> None:
    rights = Rights(frozenset({Grant(Role.OPERATOR)}), frozenset({permission}))
    for each in Permission:
        assert rights.may(each) == (each is permission and each in MAY[Role.OPERATOR])


def test_no_token_is_for_making_people_keys_or_tokens() -> None:
    assert {Permission.ACCOUNT, Permission.KEYS, Permission.PEOPLE} == NEVER_BY_TOKEN


def test_nobody_without_a_role_may_anything() -> None:
    assert not any(Rights(frozenset()).may(each) for each in Permission)


@pytest.mark.parametrize("text", ["operator", "viewer@lyon", "admin@a b"])
def test_a_grant_is_written_as_it_is_read(text: str) -> None:
    assert str(Grant.parse(text)) == text


@pytest.mark.parametrize("text", ["", "boss", "Admin", "operator@", "@lyon", " viewer"])
def test_what_is_no_role_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="viewer, engineer, operator, approver, admin"):
        Grant.parse(text)
