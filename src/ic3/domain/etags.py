"""Entity tags of HTTP."""


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
