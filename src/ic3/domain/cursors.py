"""Where a page of a list ended, as one opaque word."""

import base64
import binascii
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")
CURSOR_LIMIT: Final = 400


def cursor_of(place: object) -> str:
    """A place, anything JSON can say, as a word for a query."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_in(cursor: str, kind: type[T]) -> T:
    """The place that a cursor names.

    Raises:
        ValueError: It is none of ours.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True)
        return msgspec.json.decode(text, type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise ValueError("send what the page before answered as next") from None
