"""What a person at the terminal is told."""

import pytest

from ic3.app.logins import FirstLogin
from ic3.cli.run import Talker
from ic3.settings import load


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("abc", "admin  abc   (shown only now)"),
        (None, "admin  with the password of IC3_ADMIN_PASS"),
    ],
)
def test_a_password_is_said_to_be_shown_only_where_it_is(
    capsys: pytest.CaptureFixture[str], password: str | None, words: str
) -> None:
    Talker(load({}), demo=False).login(FirstLogin("admin", password))
    said = capsys.readouterr().err
    assert words in said
    assert ("shown only now" in said) is (password is not None)
