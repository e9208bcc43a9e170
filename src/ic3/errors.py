"""The error tree: one root, one branch per layer.

IC3Error
├── SettingsError        a setting is wrong or missing
├── GatewayError         the Redis REST gateway; see ic3.gateway.errors for its kinds
├── SpoolError           the spool between gateway and database
│   └── SpoolFull        its disk is full
├── StoreError           PostgreSQL
│   ├── DatabaseAway     it cannot be reached now; waiting helps
│   ├── Contended        a key collided or another transaction stood in the way
│   ├── Refused          it will not have a row; carries its SQL state
│   ├── TooSlow          a statement took longer than it may
│   ├── OutOfScope       the caller may not see or change a row
│   └── SchemaError      its schema is not ours: newer, altered or not migrated
├── EmbeddedError        the embedded PostgreSQL could not be started
├── StartError           the program cannot start: port taken, data directory unusable
├── CmmsError            the external CMMS did not answer rightly; carries whether it is away
├── InputError           what a person handed in is wrong: a file, an argument
│   ├── UnknownHere      there is no such thing, or not for this person
│   └── ChangedMeanwhile  it is another by now than the person saw
├── ClientError          a command cannot use the running server
│   ├── ServerAway       it does not answer
│   ├── LoginError       it does not let us in
│   └── AnswerError      it refused what was asked; carries its HTTP status
└── ApiError             a request is refused; carries its HTTP status

A message names the layer and the thing, says why, and where there is one, the next step.
"""


class IC3Error(Exception):
    """Anything the program foresees; its text is meant for a person."""


class SettingsError(IC3Error):
    """A setting is wrong or missing."""


class GatewayError(IC3Error):
    """The Redis REST gateway failed; `reason` is the word it is counted under."""

    reason = "unclassified"


class SpoolError(IC3Error):
    """The spool cannot be used, written or read."""


class SpoolFull(SpoolError):  # noqa: N818  a state
    """The disk of the spool is full."""


class StoreError(IC3Error):
    """PostgreSQL refused or failed."""


class DatabaseAway(StoreError):  # noqa: N818  a state, named as operators say it
    """PostgreSQL cannot be reached now; waiting helps."""


class Contended(StoreError):  # noqa: N818  a state, not a fault
    """A key collided or another transaction stood in the way; the same again helps."""


class Refused(StoreError):  # noqa: N818  what PostgreSQL did
    """PostgreSQL will not have a row, whatever the reason; the same again will not help."""

    def __init__(self, text: str, sqlstate: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


class TooSlow(StoreError):  # noqa: N818  a state, not a fault
    """A statement took longer than it may; less of it would fit."""


class OutOfScope(StoreError):  # noqa: N818  a state, not a fault
    """The caller may not see or change a row."""


class SchemaError(StoreError):
    """The schema is newer than the program, was altered, or is not migrated."""


class EmbeddedError(IC3Error):
    """The embedded PostgreSQL could not be started."""


class StartError(IC3Error):
    """The program cannot start."""


class InputError(IC3Error):
    """What a person handed in is wrong."""


class UnknownHere(InputError):  # noqa: N818  a state
    """There is no such thing, or not in the domains of who asks."""


class ChangedMeanwhile(InputError):  # noqa: N818  a state
    """What is to be changed, or made, is another by now, or there already."""


class CmmsError(IC3Error):
    """The external CMMS did not answer rightly for one asset.

    Args:
        words: Why, for a person; never holds the token.
        away: Whether it says that the CMMS as a whole cannot be asked.
    """

    def __init__(self, words: str, *, away: bool = False) -> None:
        super().__init__(f"cmms: {words}")
        self.words = words
        self.away = away


class ClientError(IC3Error):
    """A command cannot use the running server."""


class ServerAway(ClientError):  # noqa: N818  a state
    """The running server does not answer."""


class LoginError(ClientError):
    """The running server does not let the command in."""


class AnswerError(ClientError):
    """The running server refused what was asked."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class ApiError(IC3Error):
    """A request is refused.

    Args:
        status: HTTP status.
        error: Short text for the member `error`.
        detail: What to do next, for people.
        headers: To send with the answer.
    """

    def __init__(
        self, status: int, error: str, detail: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.detail = detail
        self.headers = headers or {}
