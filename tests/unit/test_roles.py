"""Each role contains the one before it."""

import pytest

from ic3.domain.users import Principal, Role


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.VIEWER, {Role.VIEWER}),
        (Role.OPERATOR, {Role.VIEWER, Role.OPERATOR}),
        (Role.ENGINEER, {Role.VIEWER, Role.OPERATOR, Role.ENGINEER}),
        (Role.ADMIN, set(Role)),
    ],
)
def test_role_covers_itself_and_those_before_it(role: Role, covered: set[Role]) -> None:
    assert {each for each in Role if role.covers(each)} == covered


def test_scope_shows_only_its_domains() -> None:
    one = Principal("ops", Role.OPERATOR, 0, frozenset({"DEL-D01"}))
    assert [one.sees(each) for each in ("DEL-D01", "DEL-D02", None)] == [True, False, False]


def test_nothing_is_hidden_from_one_without_scope() -> None:
    everything = Principal("admin", Role.ADMIN, 0)
    assert [everything.sees(each) for each in ("DEL-D01", None)] == [True, True]
