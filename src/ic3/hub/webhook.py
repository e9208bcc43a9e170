"""Events to other programs: signed CloudEvents by HTTP POST, to addresses that may be called."""

import asyncio
import hashlib
import hmac
import socket
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from ic3 import __version__
from ic3.clock import Clock
from ic3.domain.addresses import refusal_of
from ic3.hub.notices import Outcome, Target

DEADLINE_S: Final = 10.0
ANSWER_LIMIT_BYTES: Final = 4096
LONGEST_REST_S: Final = 3600.0
SIGNATURE: Final = "IC3-Signature"
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
# Beside every 5xx: too slow, too early, too many.
TRY_AGAIN: Final = frozenset({408, 425, 429})


class ForbiddenAddress(OSError):  # noqa: N818  what it is
    """A webhook leads to where none may go."""


class Webhook:
    """Sends one event a request; a new connection each, whose very address is checked.

    Args:
        clock: Stamps the signature.
        allow_private: Whether the own network and this machine may be called.
        deadline_s: For name, connection, request and answer together.
    """

    def __init__(
        self, *, clock: Clock, allow_private: bool, deadline_s: float = DEADLINE_S
    ) -> None:
        self._clock = clock
        self._allow_private = allow_private
        self._deadline_s = deadline_s

    async def send(self, target: Target, events: Sequence[str]) -> Outcome:
        """See `Carrier`; all are told in order, the first that fails ends it."""
        outcome = Outcome(sent=True)
        for event in events:
            outcome = await self._send_one(target, event.encode())
            if not outcome.sent:
                break
        return outcome

    async def _send_one(self, target: Target, body: bytes) -> Outcome:
        refused, called = list[str](), list[str]()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._post(target, body, refused, called)
        except TimeoutError:
            return Outcome(False, True, words=f"no answer within {self._deadline_s:g} s")
        except aiohttp.InvalidURL:
            return Outcome(False, words="the URL is no address")
        except (aiohttp.ClientError, OSError) as error:  # a bad certificate is a ValueError too
            if refused and not called:
                return Outcome(False, words=f"its host is {refused[0]}, which is not called")
            return Outcome(False, True, words=_why(error))
        except ValueError:
            return Outcome(False, words="the URL is no address")

    async def _post(
        self, target: Target, body: bytes, refused: list[str], called: list[str]
    ) -> Outcome:
        """One request; notes why addresses of the host are not called, and which were."""

        def checked_socket(info: Any) -> socket.socket:
            family, kind, protocol, _, address = info
            why = refusal_of(str(address[0]), allow_private=self._allow_private)
            if why is not None:
                refused.append(why)
                raise ForbiddenAddress(why)
            called.append(str(address[0]))
            return socket.socket(family, kind, protocol)

        headers = {
            "Content-Type": CONTENT_TYPE,
            "User-Agent": f"ic3/{__version__}",
            SIGNATURE: signature(target.secret, body, self._clock.now_us() // 1_000_000),
        }
        # The address is judged where the socket is made: whatever the name said before or says
        # later, and however the address is written, that one is connected to.
        connector = aiohttp.TCPConnector(
            socket_factory=checked_socket, force_close=True, use_dns_cache=False, limit=1
        )
        async with (
            aiohttp.ClientSession(
                connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False, timeout=aiohttp.ClientTimeout(total=self._deadline_s),
                max_line_size=ANSWER_LIMIT_BYTES, max_field_size=ANSWER_LIMIT_BYTES,
            ) as session,
            session.post(target.url, data=body, headers=headers, allow_redirects=False) as answer,
        ):  # fmt: skip
            # What it says beside the status is nothing to us, and closed unread.
            rest_s = self._rest(answer.headers.get("Retry-After"))
            return judged(answer.status, rest_s)

    def _rest(self, text: str | None) -> float | None:
        """Seconds that `Retry-After` asks for, as a number or as a date; an hour at most."""
        if text is None:
            return None
        if text.isascii() and text.isdecimal():
            return min(float(text[:9]), LONGEST_REST_S)
        try:
            at = parsedate_to_datetime(text)
            rest_s = at.timestamp() - self._clock.now_us() / 1e6
        except (ValueError, OverflowError):
            return None
        return min(max(0.0, rest_s), LONGEST_REST_S)


def judged(status: int, retry_after_s: float | None = None) -> Outcome:
    """What a status means."""
    if 200 <= status < 300:
        return Outcome(True, status=status)
    again = status >= 500 or status in TRY_AGAIN
    if 300 <= status < 400:
        words = f"answered {status}; redirects are not followed, set the final URL"
    else:
        words = f"answered {status}"
    return Outcome(False, again, status, words, retry_after_s if again else None)


def signature(secret: str, body: bytes, at_s: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 over the seconds, a dot and the body."""
    signed = b"%d.%s" % (at_s, body)
    return f"t={at_s},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _why(error: BaseException) -> str:
    """Words for a failure; the library's own may quote the URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not accepted"
        case aiohttp.ClientSSLError():
            return "TLS failed"
        case aiohttp.ClientConnectorError() | ConnectionRefusedError():
            return "the connection was refused"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed without an answer"
        case _:
            return f"the connection failed ({type(error).__name__})"
