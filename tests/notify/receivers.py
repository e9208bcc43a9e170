"""The other side of notifications: a webhook's receiver and a mail server, on loopback."""

import asyncio
import contextlib
import email
import email.policy
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Self

KEY = "planted-secret-of-a-webhook"


def verified(header: str, body: bytes, secret: str, now_s: float, window_s: float = 300) -> bool:
    """What docs/howto/notifications.md shows a receiver to do."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    signed = parts["t"].encode() + b"." + body
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    fresh = abs(now_s - int(parts["t"])) <= window_s
    return hmac.compare_digest(wanted, parts["v1"]) and fresh


# How an answer that never ends begins, and what is then sent again and again.
FLOODS = {
    "garbage": (b"", b"\x00\xff\x1b[31m" * 100),
    "status line": (b"HTTP/1.1 200 ", b"x" * 1000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@dataclass(slots=True)
class Request:
    """What came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Receiver:
    """An HTTP server that answers as it is told: a status, `hang`, `drip`, `drop` or a flood.

    Attributes:
        answers: For the next requests; then 200.
    """

    answers: list[int | str] = field(default_factory=list)
    headers: str = ""
    seen: list[Request] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        await self.open()
        try:
            yield self
        finally:
            self.close()
            await asyncio.sleep(0.01)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/planted-path"

    @property
    def ids(self) -> list[str]:
        """Without the raise."""
        return [each.event["id"].rpartition("-")[0] for each in self.seen]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        own = asyncio.current_task()
        assert own is not None
        self._tasks.add(own)
        own.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.strip().split("\r\n")
            headers = {n.lower(): v for n, v in (each.split(": ", 1) for each in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.seen.append(Request(line, headers, body))
            await self._answer(self.answers.pop(0) if self.answers else 200, writer)
        writer.close()

    async def _answer(self, answer: int | str, writer: asyncio.StreamWriter) -> None:
        if answer == "hang":
            await asyncio.sleep(30)
        elif answer == "drip":
            for mark in "HTTP/1.1 200 OK\r\nX: " + "x" * 600:
                writer.write(mark.encode())
                await writer.drain()
                await asyncio.sleep(0.05)
        elif answer in FLOODS:
            head, more = FLOODS[str(answer)]
            writer.write(head)
            for _ in range(2000):
                writer.write(more)
                await writer.drain()
        elif answer != "drop":
            extra = self.headers
            if answer == 302:
                extra += f"Location: http://127.0.0.1:{self.port}/elsewhere\r\n"
            writer.write(f"HTTP/1.1 {answer} X\r\n{extra}Content-Length: 100000\r\n\r\n".encode())
            writer.write(b"x" * 100_000)
            await writer.drain()


@dataclass(slots=True)
class SmtpReceiver:
    """A mail server: enough of RFC 5321 for a client that follows it.

    Attributes:
        answers: Command to what is said instead of the usual.
    """

    answers: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0
    extensions: Sequence[str] = ("AUTH PLAIN",)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = asyncio.current_task()
        assert own is not None
        self._tasks.add(own)
        own.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.write(b"220 test\r\n")
            to: list[str] = []
            while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
                self.commands.append(line)
                word = line.split(" ")[0].upper()
                if word == "HANG" or self.answers.get(word) == "hang":
                    await asyncio.sleep(30)
                elif word in self.answers:
                    writer.write(self.answers[word].encode() + b"\r\n")
                elif word == "EHLO":
                    lines = ["test", *self.extensions]
                    marks = ["-"] * (len(lines) - 1) + [" "]
                    told = zip(marks, lines, strict=True)
                    writer.write("".join(f"250{m}{each}\r\n" for m, each in told).encode())
                elif word == "AUTH":
                    writer.write(b"235 in\r\n")
                elif word == "DATA":
                    writer.write(b"354 go\r\n")
                    text = await reader.readuntil(b"\r\n.\r\n")
                    self._keep(text[:-3], to)
                    writer.write(b"250 taken\r\n")
                elif word == "QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    if word == "RCPT":
                        to.append(line.partition("<")[2].partition(">")[0])
                    writer.write(b"250 ok\r\n")
        writer.close()

    def _keep(self, text: bytes, to: list[str]) -> None:
        self.raw.append(text)
        mail = email.message_from_bytes(text, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(to))
        to.clear()
