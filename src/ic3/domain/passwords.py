"""Which passwords are taken: long ones that nobody guesses; no rules of composition."""

import re
from functools import cache
from typing import Final

SHORTEST: Final = 12
LONGEST: Final = 1024
COMMON: Final = 3000
# What remains of a password without these must still be a word of its own.
CONTEXT: Final = ("ic3", "delhi", "djb", "water", "password", "admin", "control", "room", "scada")
LEAST_OWN: Final = 4


def weakness(password: str, username: str) -> str | None:
    """Why a password is not taken, or None.

    Source:
        OWASP ASVS 5.0, V6.2; the list of common ones is that of zxcvbn.
    """
    if not SHORTEST <= len(password) <= LONGEST or "\0" in password:
        return f"it must have {SHORTEST} to {LONGEST} characters and no NUL"
    lowered = password.lower()
    if lowered in _common() or lowered.rstrip("0123456789!.") in _common():
        return "it is one of the most used passwords"
    own = lowered
    for word in (*CONTEXT, *re.split(r"[^a-z]+", username.lower())):
        if len(word) > 2:
            own = own.replace(word, "")
    if own != lowered:
        own = re.sub(r"[\W\d_]", "", own)
    if len(set(own)) < LEAST_OWN:
        return "it is a name of the place, the user or the program, or repeats a few characters"
    return None


@cache
def _common() -> frozenset[str]:
    # Imported where it is needed: the list takes some time to load.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"][:COMMON])
