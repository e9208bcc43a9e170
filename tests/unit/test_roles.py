"""Each role contains the one before it."""

import pytest

from ic3.domain.users import Role


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
