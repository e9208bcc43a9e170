"""What was not taken, in plain words and in bytes that can be shown."""

import base64
from collections.abc import Mapping
from typing import Final

from ic3.domain.envelope import REJECT_WORDS, Reject

OUTER_WORDS: Final[Mapping[str, str]] = {
    "not_json": "the gateway's answer is not JSON",
    "wrong_shape": "the gateway's answer is JSON, but not the shape that was agreed",
    "null_value": "the gateway has the key and no value for it",
    "wrong_type": "the key holds something else than a text in Redis",
    "wrong_key": "the gateway answered for another key than the one asked for",
    "too_large": "the gateway's answer is larger than is read",
    "not_text": "an entry of the key list is not text",
    "refused_by_database": "the database refused the row",
    "key_conflict": "another text under the same time, asset and record is stored already",
}


def words_for(reason: str) -> str:
    """A reason in plain words."""
    try:
        return REJECT_WORDS[Reject(reason)]
    except ValueError:
        return OUTER_WORDS.get(reason, "no words for this reason; please report it")


def readable(raw: bytes) -> str:
    """Bytes as one line of text: what is no printable character is escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def in_base64(raw: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(raw).decode()
