"""Long passwords that nobody guesses, without rules of composition: S2."""

import pytest

from ic3.domain.passwords import weakness


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "jal board 42 lantern",
        "नमस्ते दुनिया कैसे",
        "x7$kQ9!mZ2@p",
        "a b c d e f g",
    ],
)
def test_s02_a_long_password_is_taken(password: str) -> None:
    assert weakness(password, "asha") is None


@pytest.mark.parametrize(
    "password",
    ["", "elevenchars", "a" * 1025, "with\0nul in it", "passwordpassword", "password1234",
     "ic3ic3ic3ic3", "Delhi-Water-2026", "asha.verma.2026", "aaaaaaaaaaaaaaaa", "121212121212"],
)  # fmt: skip
def test_s02_a_weak_password_is_refused_with_a_reason(password: str) -> None:
    assert weakness(password, "asha.verma")
