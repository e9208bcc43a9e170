"""The security checklist against the tests that carry its numbers."""

import re
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parent.parent / "tests"
_TEST: Final = re.compile(r"def (test_(?:f\d+_)*s(\d\d)_\w*)")

# Number to requirement; those of a later release are left out.
ITEMS: Final = {
    1: "passwords as argon2id, few hashes at once",
    2: "12 characters or more, no composition rules, no common or local words",
    3: "logins slowed by account and address, never locked, nothing told of who exists",
    4: "no default account or secret; the first password is random and shown once",
    6: "a password change needs the old one and ends all other logins",
    7: "one algorithm of signing, fixed by configuration",
    8: "headers that name a key are ignored; `kid` is a lookup in a fixed table",
    9: "our tokens carry the full set of claims, each checked",
    10: "short access tokens; a refresh token works once, its reuse ends the login",
    11: "two signing keys at once",
    12: "logout, revocation and change of role act within seconds, on sockets too",
    13: "single-use tickets for sockets; a token in a URL is refused and masked",
    14: "`Origin` is the server's own or on the list",
    15: "off loopback only `wss`",
    16: "limits on messages, silence and number of sockets",
    17: "each subscription is limited to the scope",
    18: "every route and method with every role",
    19: "scope of domains in SQL and in the program; foreign as unknown",
    20: "sums, exports, maps, sockets and search are scoped",
    21: "explicit response models; fields that are not the caller's are refused",
    22: "the last administrator stays",
    23: "SQL only with bound parameters",
    24: "request models refuse what is not theirs: 4xx, never 5xx",
    25: "limits on pages, bodies, spans and time; compressed bodies refused",
    26: "CSV runs nothing",
    27: "telemetry enters the page as text; strict policy",
    28: "security headers on every answer",
    29: "CORS by an exact list",
    30: "upstream addresses only from configuration; no redirect, no proxy",
    31: "TLS verified, own authority possible",
    32: "the gateway is only read",
    33: "secrets from environment or files; in no log, answer or process list",
    34: "least rights in the database",
    35: "embedded PostgreSQL on a socket, its files closed",
    36: "audit log that only grows, chained, 180 days",
    37: "UTC; offset against the gateway's clock; bundle for an incident notice",
    38: "an error body tells nothing of the inside",
    39: "the inventory of routes is the document; no other method",
    40: "lock file with hashes; SBOM and licences per release",
    41: "hostile text is escaped in logs, one event a line",
    42: "service unit without privileges",
    44: "restore drill",
    45: "refresh token as a cookie no script and no other site can use",
}


def tests_by_item() -> dict[int, list[str]]:
    """Item to the tests that carry its number, sorted."""
    found: dict[int, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        for name, number in _TEST.findall(path.read_text(encoding="utf-8")):
            found.setdefault(int(number), set()).add(name)
    return {number: sorted(names) for number, names in found.items()}


def rows() -> list[list[str]]:
    """Item, requirement and tests; an item without a test says so."""
    by_item = tests_by_item()
    return [
        [
            f"S{number}",
            words,
            ", ".join(f"`{each}`" for each in by_item.get(number, ())) or "**no test yet**",
        ]
        for number, words in ITEMS.items()
    ]
