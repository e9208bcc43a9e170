"""Entity tags of HTTP, and bodies that are encoded once for all who ask."""

import gzip
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

WORTH_ZIPPING: Final = 1400  # below it a body fits one packet anyway


def etag_of(body: bytes) -> str:
    """The strong tag of a body."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


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


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client that sent this header reads gzip."""
    for each in accept_encoding.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


@dataclass(slots=True)
class Encoded:
    """A body with its tag; zipped when first asked for, which a thread may do."""

    body: bytes
    etag: bytes = b""
    _zipped: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.etag = etag_of(self.body).encode()

    def zipped(self) -> bytes:
        """The body in gzip."""
        if self._zipped is None:
            # Level 1 halves the time of the usual one and costs a tenth of the size.
            self._zipped = gzip.compress(self.body, compresslevel=1, mtime=0)
        return self._zipped

    @property
    def is_worth_zipping(self) -> bool:
        """Whether zipping saves anything."""
        return len(self.body) > WORTH_ZIPPING


def still_so(if_match: str, etag: str) -> bool:
    """Whether what a client means to change is still as it saw it.

    Args:
        if_match: Value of If-Match: `*`, or tags with commas between.
        etag: Of the body as it is.

    Source:
        RFC 9110, 13.1.1: strong comparison, a weak tag never matches.
    """
    return any(each.strip() in {"*", etag} for each in if_match.split(","))
