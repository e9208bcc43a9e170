"""Events to people: plain text mail through one SMTP server."""

import asyncio
import contextlib
import json
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from ic3.clock import Clock
from ic3.domain.addresses import is_loopback
from ic3.errors import SettingsError
from ic3.hub.notices import Outcome, Target

DEADLINE_S: Final = 30.0
SUBJECT_CHARACTERS: Final = 150
LINE_CHARACTERS: Final = 500
EVENTS_LIMIT: Final = 50
PORTS: Final = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in.

    Attributes:
        implicit_tls: TLS from the first byte; otherwise STARTTLS, which only a server on this
            machine may lack.
    """

    host: str
    port: int
    implicit_tls: bool
    user: str = ""
    password: str = field(default="", repr=False)


def smtp_server(url: str) -> SmtpServer:
    """The server of a setting such as `smtp://user:password@mail.example.org:587`.

    Raises:
        SettingsError: It is no such URL; the text does not quote it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in PORTS or not host or parts.path not in {"", "/"} or parts.query:
        raise SettingsError(
            "settings: IC3_SMTP_URL: must be smtp://user:password@host:port or smtps://…; in user"
            " and password write % as %25, / as %2F, @ as %40"
        )
    return SmtpServer(
        host, port or PORTS[parts.scheme], parts.scheme == "smtps", unquote(parts.username or ""),
        unquote(parts.password or ""),
    )  # fmt: skip


class Mail:
    """Sends several events as one mail.

    Args:
        server: None where none is set; then every mail fails and says so.
        sender: Address it comes from.
        zone: In it times are told.
        clock: Dates the mail.
        deadline_s: For the whole conversation.
    """

    def __init__(
        self, *, server: SmtpServer | None, sender: str, zone: ZoneInfo, clock: Clock,
        deadline_s: float = DEADLINE_S,
    ) -> None:  # fmt: skip
        self._server = server
        self._sender = sender
        self._zone = zone
        self._clock = clock
        self._deadline_s = deadline_s

    async def send(self, target: Target, events: Sequence[str]) -> Outcome:
        """See `Carrier`; events beyond the first 50 are only counted in the text."""
        if self._server is None:
            return Outcome(False, words="no mail server is set; set IC3_SMTP_URL")
        try:
            mail = self._written(target, [json.loads(each) for each in events])
        except ValueError:
            return Outcome(False, words="the mail cannot be written: see its addresses")
        wire = _Wire(self._server, self._deadline_s)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await _in_daemon(lambda: wire.hand_in(mail, target.recipients))
        except TimeoutError:
            return Outcome(False, True, words=f"the mail server took over {self._deadline_s:g} s")
        finally:
            wire.cut()

    def _written(self, target: Target, events: Sequence[dict[str, Any]]) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._sender
        mail["To"] = ", ".join(target.recipients)
        mail["Subject"] = subject(events)
        mail["Date"] = format_datetime(self._clock.now())
        first, domain = events[0]["id"], self._sender.rpartition("@")[2] or "ic3"
        mail["Message-ID"] = f"<{first}.{len(events)}.{ascii_word(target.name)}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        paragraphs = [paragraph(each, self._zone) for each in events[:EVENTS_LIMIT]]
        if len(events) > EVENTS_LIMIT:
            paragraphs.append(f"and {len(events) - EVENTS_LIMIT} more: see the alarm list")
        foot = f"-- \nSent by IC³ by the route {clean(target.name)}."
        mail.set_content("\n\n".join([*paragraphs, foot]), charset="utf-8", cte="base64")
        return mail


def subject(events: Sequence[dict[str, Any]]) -> str:
    """Such as `[P1] new: PUMP_7 low_pressure`; of several the worst, and how many."""
    worst = min(events, key=lambda each: int(each["data"].get("priority", 4)))
    data = worst["data"]
    head = f"[P{data.get('priority', 4)}]"
    if len(events) > 1:
        head += f" {len(events)} changes, first"
    what = str(worst["type"]).rpartition(".")[2]
    line = f"{head} {what}: {data.get('source', '')} {data.get('condition', '')}"
    return clean(line)[:SUBJECT_CHARACTERS]


def paragraph(event: dict[str, Any], zone: ZoneInfo) -> str:
    """What happened, a line each; none of the plant's text can begin a line of its own."""
    data = event["data"]
    at = datetime.fromisoformat(str(event["time"])).astimezone(zone)
    what = str(event["type"]).rpartition(".")[2]
    lines = [
        f"{at:%Y-%m-%d %H:%M:%S %Z}  P{data.get('priority', 4)}  {what}",
        f"{data.get('source_kind', '')} {data.get('source', '')}: {data.get('condition', '')}",
    ]
    if data.get("text"):
        lines.append(str(data["text"]))
    if data.get("value") is not None:
        limit = "" if data.get("limit") is None else f" (limit {data['limit']:g})"
        lines.append(f"value {data['value']:g} {data.get('unit') or ''}{limit}")
    if data.get("domain"):
        lines.append(f"domain {data['domain']}")
    lines.append(f"event {event['id']}")
    return "\n".join(clean(each) for each in lines)


def clean(text: str) -> str:
    """One line of printable text, of bounded length."""
    shown = "".join(mark if mark.isprintable() else " " for mark in text[:LINE_CHARACTERS])
    return " ".join(shown.split())


def ascii_word(text: str) -> str:
    """What of a name may stand in a message id."""
    return "".join(each if each.isascii() and each.isalnum() else "-" for each in text)[:60]


class _Wire:
    """One conversation with the server, in a thread; `cut` ends it from outside."""

    def __init__(self, server: SmtpServer, limit_s: float) -> None:
        self._server = server
        self._limit_s = limit_s
        self._smtp: smtplib.SMTP | None = None

    def hand_in(self, mail: EmailMessage, recipients: Sequence[str]) -> Outcome:
        """Hand in a mail."""
        try:
            with self._connected() as smtp:
                self._smtp = smtp
                self._greet(smtp)
                refused = smtp.send_message(mail, to_addrs=list(recipients))
        except smtplib.SMTPException as error:
            return _of_smtp(error)
        except ssl.SSLError:
            return Outcome(False, True, words="TLS with the mail server failed")
        except ValueError:
            return Outcome(False, words="the mail cannot be written for this server")
        except OSError as error:
            return Outcome(False, True, words=f"the mail server failed ({type(error).__name__})")
        if refused:
            return Outcome(True, words=f"{len(refused)} recipients were refused")
        return Outcome(True)

    def cut(self) -> None:
        """Close the wire under a conversation that goes on."""
        wire = self._smtp.sock if self._smtp is not None else None
        if wire is not None:
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.implicit_tls:
            return smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._limit_s,
                context=ssl.create_default_context(),
            )  # fmt: skip
        return smtplib.SMTP(server.host, server.port, timeout=self._limit_s)

    def _greet(self, smtp: smtplib.SMTP) -> None:
        server = self._server
        smtp.ehlo()
        if not server.implicit_tls and (smtp.has_extn("starttls") or not is_loopback(server.host)):
            # Raises where a server elsewhere does not offer it: nothing goes out in the clear.
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        if server.user:
            smtp.login(server.user, server.password)


def _of_smtp(error: smtplib.SMTPException) -> Outcome:
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=recipients):
            codes = [code for code, _ in recipients.values()]
            again = any(code < 500 for code in codes)
            status = codes[0] if codes else None
            return Outcome(False, again, status, "the mail server refused every recipient")
        case smtplib.SMTPNotSupportedError():
            return Outcome(False, True, words="the mail server offers no STARTTLS or no login")
        case smtplib.SMTPAuthenticationError(smtp_code=code):
            # Right again once the setting is; the mail is not to blame.
            return Outcome(False, True, code, "the mail server refused the login")
        case smtplib.SMTPResponseException(smtp_code=code):
            return Outcome(False, code < 500, code, f"the mail server answered {code}")
        case _:
            return Outcome(False, True, words="the mail server closed the connection")


async def _in_daemon(work: Callable[[], Outcome]) -> Outcome:
    """Do work in a thread that keeps no process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Outcome] = loop.create_future()

    def settle(outcome: Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    def run() -> None:
        outcome = work()
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="mail", daemon=True).start()
    return await done
