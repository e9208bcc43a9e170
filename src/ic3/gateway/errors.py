# ruff: noqa: N818  kinds are states, named as operators say them
"""What can go wrong between us and the gateway: one class and one counted reason each.

GatewayError
├── NotAsked            the breaker is open: no request was made
├── Refused, TLSFailed, Reset, Timeout, Truncated, BadStatus, BadHTTP, Deferred   no answer: failed
└── ContentError        an answer came and its content is wrong: quarantined, with its raw bytes
    └── TooLarge, NotJSON, WrongShape, NullValue, WrongType, WrongKey
"""

from ic3.errors import GatewayError

RAW_BYTES = 16 << 10
DEFERRED_WORDS = {
    "deadline": "The sweep's deadline came before the key was asked for.",
    "breaker": "The gateway failed too often and is left alone.",
    "retry_after": "The gateway asked for rest.",
}
_NAME_CHARACTERS = 200


def key_named(key: str) -> str:
    """The key as a message names it: control characters and bidi marks escaped, length bounded."""
    return f"key {key[:_NAME_CHARACTERS]!r}" + ("…" if len(key) > _NAME_CHARACTERS else "")


class NotAsked(GatewayError):
    """The gateway is left alone for a while."""

    reason = "breaker_open"


class AnswerError(GatewayError):
    """One request failed.

    Args:
        key: The key asked for, or None for the key list.
        why: What is known beyond the kind; never holds credentials.
    """

    says = "failed"

    def __init__(self, key: str | None, why: str = "") -> None:
        subject = "the key list" if key is None else key_named(key)
        super().__init__(f"gateway: {subject} {self.says}" + (f": {why}" if why else ""))
        self.key = key
        self.why = why


class Refused(AnswerError):
    """No connection: refused, unreachable, name not found, address not allowed."""

    reason = "refused"
    says = "could not be asked for, no connection"


class TLSFailed(Refused):
    """The gateway's certificate or TLS handshake was refused."""

    reason = "tls"
    says = "could not be asked for, TLS failed"


class Reset(AnswerError):
    """The connection was lost before the first byte of the answer."""

    reason = "reset"
    says = "was not answered, connection lost"


class Truncated(AnswerError):
    """The connection was lost in the middle of the answer."""

    reason = "truncated"
    says = "was cut short"


class Timeout(AnswerError):
    """The answer was not complete in time."""

    reason = "timeout"
    says = "timed out"


class BadStatus(AnswerError):
    """The answer's status is not 200; counted as `http_<status>`."""

    says = "was answered with status"

    def __init__(self, key: str | None, status: int, retry_after: bytes | None = None) -> None:
        super().__init__(key, str(status))
        self.status = status
        self.retry_after = retry_after
        self.reason = f"http_{status}"


class CutOff(Timeout):
    """The sweep's deadline came before the answer.

    Args:
        key: The key asked for.
        behind: Whether the gateway owed another answer first, on the same connection.
    """

    def __init__(self, key: str | None, *, behind: bool = False) -> None:
        super().__init__(key, "the sweep's deadline came first")
        self.behind = behind


class BadHTTP(AnswerError):
    """The answer is not HTTP as we understand it."""

    reason = "bad_http"
    says = "was answered with bad HTTP"


class Deferred(AnswerError):
    """The key was left for the next sweep.

    Args:
        key: The key that would have been asked for.
        reason: What came first, a word of DEFERRED_WORDS.
    """

    reason = "deadline"
    says = "was left for the next sweep"

    def __init__(self, key: str | None, reason: str = "deadline") -> None:
        super().__init__(key, reason)
        self.reason = reason


class ContentError(AnswerError):
    """An answer came whole and its content is wrong.

    Args:
        key: The key asked for, or None for the key list.
        body: The answer's body, of which the first 16 KiB are kept.
        why: What is known beyond the kind.
    """

    def __init__(self, key: str | None, body: bytes | bytearray, why: str = "") -> None:
        super().__init__(key, why)
        self.raw = bytes(body[:RAW_BYTES])
        self.raw_length = len(body)


class TooLarge(ContentError):
    """The body is over its cap; `raw_length` is what had come when it was cut."""

    reason = "too_large"
    says = "is too large"


class NotJSON(ContentError):
    """The body is not JSON."""

    reason = "not_json"
    says = "is not JSON"


class WrongShape(ContentError):
    """JSON, but not the shape the contract names."""

    reason = "wrong_shape"
    says = "has the wrong shape"


class NullValue(ContentError):
    """The value is null."""

    reason = "null_value"
    says = "has no value"


class WrongType(ContentError):
    """The Redis type is not `string`."""

    reason = "wrong_type"
    says = "is not a string in Redis"


class WrongKey(ContentError):
    """The answer is for another key."""

    reason = "wrong_key"
    says = "was answered with another key"
