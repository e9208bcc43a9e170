"""Entity tags of HTTP."""

import hashlib


def etag_of(body: bytes) -> str:
    """The strong tag of a body."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def client_has(if_none_match: bytes, etag: bytes) -> bool:
    """Whether a client that sent this header has that body already.

    Args:
        if_none_match: Value of If-None-Match: `*`, or tags with commas between, weak ones too.
        etag: Of the body; holds no comma.

    Source:
        RFC 9110, 13.1.2: weak comparison.
    """
    given = (each.strip().removeprefix(b"W/") for each in if_none_match.split(b","))
    return any(each in {b"*", etag} for each in given)


def still_so(if_match: str, etag: str) -> bool:
    """Whether what a client means to change is still as it saw it.

    Args:
        if_match: Value of If-Match: `*`, or tags with commas between.
        etag: Of the body as it is.

    Source:
        RFC 9110, 13.1.1: strong comparison, a weak tag never matches.
    """
    return any(each.strip() in {"*", etag} for each in if_match.split(","))
