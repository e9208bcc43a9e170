"""The external CMMS, Innomaint: one asset a request, politely, and only ever read."""

import asyncio
import random
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from yarl import URL

from ic3.clock import Clock
from ic3.domain.imports import text
from ic3.errors import CmmsError, SettingsError

PLACE: Final = "{serial}"
DEFAULT_PATH: Final = "/api/assets/{serial}"
BODY_LIMIT_BYTES: Final = 1 << 20
TRIES: Final = 3
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
# Column of the register by the field of the answer that fills it; both are named alike.
TEXTS: Final = (
    "barcode", "criticality", "capacity_rating", "in_charge_person", "status", "asset_live_status",
)  # fmt: skip
NUMBERS: Final = ("ticketcount", "schedulecount")


class InnomaintClient:
    """Asks the CMMS for assets, never faster than it may.

    Args:
        base_url: http or https, with an optional path; no userinfo.
        path: Path of one asset behind the base; `{serial}` is where its serial number goes.
        token: Sent as Authorization: Bearer.
        rate_per_s: Requests a second at most, tries again included.
        timeout_s: Total time of one request.
        ca_file: Own certificate authority instead of the system's.
        clock: Says the time to what `Retry-After` names as a date.

    Raises:
        SettingsError: An argument is not usable.
    """

    def __init__(
        self, base_url: str, *, path: str = DEFAULT_PATH, token: str | None = None,
        rate_per_s: float = 5.0, timeout_s: float = 10.0, ca_file: Path | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._prefix, self._suffix = _address(base_url, path)
        self._headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            if not (token.isascii() and token.isprintable() and token.strip()):
                raise SettingsError("cmms: the token must be printable ASCII")
            self._headers["Authorization"] = f"Bearer {token}"
        self._tls = _tls_context(ca_file) if base_url.lower().startswith("https") else True
        self._timeout_s = timeout_s
        self._pause_s = 1 / rate_per_s
        self._next_at = 0.0
        self._clock = clock or Clock()
        self._session: aiohttp.ClientSession | None = None
        self.requests_sent = 0

    async def __aenter__(self) -> Self:
        """Open the connections of a synchronisation."""
        self._session = aiohttp.ClientSession(
            headers=self._headers, auto_decompress=False, trust_env=False,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        if self._session is not None:
            await self._session.close()

    async def asset(self, serial: str) -> dict[str, Any]:
        """The register's fields of an asset as the CMMS has them, None where it says nothing.

        Raises:
            CmmsError: It did not answer rightly, also when asked again.
        """
        # A segment of dots is a step up to whoever reads the path.
        if serial.strip(".") == "":
            raise CmmsError("the serial number cannot be asked for")
        url = URL(f"{self._prefix}{quote(serial, safe='')}{self._suffix}", encoded=True)
        for tried in range(1, TRIES + 1):
            await self._turn()
            try:
                return fields_of(await self._ask(url), serial)
            except _AgainError as error:
                if tried == TRIES:
                    raise CmmsError(error.words, away=error.away) from None
                pause_s = error.pause_s or FIRST_PAUSE_S * 2 ** (tried - 1)
                await asyncio.sleep(pause_s * random.uniform(1, 1.3))  # noqa: S311  no secret
        raise AssertionError("unreachable")

    async def _turn(self) -> None:
        """Wait until the next request may be made."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        at, self._next_at = self._next_at, max(now, self._next_at) + self._pause_s
        if at > now:
            await asyncio.sleep(at - now)

    async def _ask(self, url: URL) -> bytes:
        assert self._session is not None, "enter the client first"
        self.requests_sent += 1
        try:
            async with self._session.get(url, allow_redirects=False, ssl=self._tls) as answer:
                self._check(answer)
                return await _body(answer)
        except TimeoutError:
            raise _AgainError(f"no answer within {self._timeout_s:g} s", away=True) from None
        except aiohttp.ClientConnectorCertificateError:
            raise CmmsError("its certificate was refused", away=True) from None
        except aiohttp.ClientConnectorError:
            raise _AgainError("no connection", away=True) from None
        except aiohttp.ClientPayloadError:
            raise _AgainError("the answer was cut short") from None
        except aiohttp.ServerDisconnectedError:
            raise _AgainError("the connection was lost") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CmmsError(f"bad HTTP ({type(error).__name__})") from None

    def _check(self, answer: aiohttp.ClientResponse) -> None:
        status = answer.status
        if status == 200:
            return
        if status == 404:
            raise CmmsError("it does not know the asset")
        if status in {401, 403}:
            raise CmmsError(f"it refuses the token (status {status})", away=True)
        if 300 <= status < 400:
            raise CmmsError(f"it points elsewhere (status {status}); that is not followed")
        if status == 429 or status >= 500:
            away = status in {429, 503}
            raise _AgainError(f"status {status}", away=away, pause_s=self._rest_s(answer))
        raise CmmsError(f"status {status}")

    def _rest_s(self, answer: aiohttp.ClientResponse) -> float | None:
        """How long it asks to be left alone, within reason."""
        header = answer.headers.get("Retry-After", "")
        try:
            if header.isascii() and header.isdecimal():
                return min(float(header), LONGEST_PAUSE_S)
            wait_s = parsedate_to_datetime(header).timestamp() - self._clock.now().timestamp()
            return max(0.0, min(wait_s, LONGEST_PAUSE_S))
        except (ValueError, TypeError, OverflowError):
            return None


class _AgainError(Exception):
    """A second try may help."""

    def __init__(self, words: str, *, away: bool = False, pause_s: float | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.away = away
        self.pause_s = pause_s


def fields_of(body: bytes, serial: str) -> dict[str, Any]:
    """The register's fields in an answer; a field it lacks, or that is null or empty, is None.

    Args:
        body: JSON with the object `data`.
        serial: The serial number asked for.

    Raises:
        CmmsError: It is not what the CMMS answers for this asset.
    """
    data = _data(body)
    if data.get("serialnumber") is None:
        raise CmmsError("the answer lacks data.serialnumber")
    answered = _text(data, "serialnumber")
    if answered != serial:
        raise CmmsError("the answer is about another serial number")
    numbers = {_text(data, name) for name in ("id", "traceid")} - {None}
    if len(numbers) != 1:
        missing = "lacks data.id and data.traceid" if not numbers else "has two different numbers"
        raise CmmsError(f"the answer {missing}")
    if not any(name in data for name in (*TEXTS, *NUMBERS)):
        raise CmmsError("the answer has none of the fields that are read; were they renamed?")
    return {
        "serialnumber": serial,
        "cmms_asset_id": serial,
        "traceability_id": numbers.pop(),
        **{name: _text(data, name) for name in TEXTS},
        **{name: _whole(data, name) for name in NUMBERS},
    }


def _data(body: bytes) -> Mapping[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CmmsError("the answer is not JSON") from None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise CmmsError("the answer has no object data")
    return data


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise CmmsError(f"data.{name} is neither text nor number")
    try:
        # A serial number is compared as it stands.
        words = (
            "" if value is None else str(value) if name == "serialnumber" else str(value).strip()
        )
        return text(words) or None
    except ValueError as error:
        raise CmmsError(f"data.{name} {error}") from None


def _whole(data: Mapping[str, Any], name: str) -> int | None:
    words = _text(data, name)
    if words is None:
        return None
    digits = words.removesuffix(".0")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        raise CmmsError(f"data.{name} is no count")
    return int(digits)


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """The body, up to its cap; `read` would take whatever comes."""
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise CmmsError("the answer is compressed, which was not asked for")
    found = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        found += chunk
        if len(found) > BODY_LIMIT_BYTES:
            raise CmmsError("the answer is too large")
    return bytes(found)


def _address(base_url: str, path: str) -> tuple[str, str]:
    """What stands before and behind the serial number; messages never repeat the address."""
    if not base_url.isprintable() or " " in base_url:
        raise SettingsError("cmms: the address holds blanks or control characters")
    try:
        parts = urlsplit(base_url)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        raise SettingsError("cmms: the address is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_good:
        raise SettingsError("cmms: the address must be http://host or https://host")
    if "@" in parts.netloc:
        raise SettingsError("cmms: no user or password in the address; use IC3_CMMS_TOKEN")
    if parts.query or parts.fragment:
        raise SettingsError("cmms: the address must have neither query nor fragment")
    if path.count(PLACE) != 1 or not path.startswith("/"):
        raise SettingsError("cmms: the path begins with / and has {serial} in one place")
    before, _, behind = path.partition(PLACE)
    safe = "/%:@!$&'()*+,;=~"
    prefix = f"{parts.scheme}://{parts.netloc}{quote(parts.path.rstrip('/'), safe=safe)}"
    return prefix + quote(before, safe=safe + "?"), quote(behind, safe=safe + "?")


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingsError(f"cmms: the CA file {ca_file} cannot be used: {error}") from None
