"""A scripted gateway on a raw loopback socket: it answers, lies, drips, hangs and counts."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import unquote

CLOSE = "close"
HANG = "hang"
Step = (
    bytes | float | str
)  # bytes are sent, a number is waited for, CLOSE and HANG are what they say
Script = Callable[["Asked"], Sequence[Step] | None]


class Asked:
    """One request as it came."""

    def __init__(
        self, gateway: "HostileGateway", head: bytes, connection: int, queued: int
    ) -> None:
        self.gateway = gateway
        self.head = head
        self.target = head.split(b" ")[1].decode("ascii")
        self.connection = connection
        self.queued = queued  # how many had come on the connection and were not answered
        self.is_list = self.target.startswith(f"{gateway.prefix}/api/redis/keys?pattern=")
        self.key = "" if self.is_list else unquote(self.target.partition("?k=")[2])
        gateway.asked[self.key] += 1
        self.times = gateway.asked[self.key]


def http(body: bytes, status: int = 200, headers: str = "", *, version: str = "1.1") -> bytes:
    """A whole answer."""
    head = f"HTTP/{version} {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def value_of(key: str, value: object = "v", kind: object = "string") -> bytes:
    """The outer JSON of one key."""
    return json.dumps({"key": key, "type": kind, "value": value}).encode()


class HostileGateway:
    """Serves `values` rightly, in order and pipelined, except where `script` says otherwise."""

    def __init__(self, values: dict[str, str], script: Script = lambda asked: None) -> None:
        self.values = values
        self.script = script
        self.prefix = ""
        self.asked: Counter[str] = Counter()
        self.heads: list[bytes] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.deepest = 0
        self.connections = 0
        self.hanging = asyncio.Event()
        self.latency_s = 0.0
        self.swap_pipelined = False
        self.url = ""
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["HostileGateway"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
        port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}"
        try:
            yield self
        finally:
            server.close()
            self.close_all()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until_asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        while self.asked.total() < times:  # noqa: ASYNC110  each request would set an event
            await asyncio.sleep(0.001)

    def close_all(self) -> None:
        """Cut every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        number = self.connections
        queue: asyncio.Queue[Asked | None] = asyncio.Queue()
        answering = asyncio.create_task(self._answer(queue, writer))
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                asked = Asked(self, head, number, queue.qsize())
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                await queue.put(asked)
                self.deepest = max(self.deepest, queue.qsize())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            self.in_flight -= queue.qsize()
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _answer(
        self, queue: asyncio.Queue[Asked | None], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            asked = await queue.get()
            assert asked is not None
            counted = True
            try:
                await asyncio.sleep(self.latency_s)
                asked.queued = queue.qsize()
                steps = self.script(asked)
                if steps is None and self.swap_pipelined and queue.qsize():
                    other = queue.get_nowait()
                    assert other is not None
                    self.in_flight -= 1
                    steps = [*self.right(other), *self.right(asked)]
                for step in self.right(asked) if steps is None else steps:
                    if step == HANG:
                        self.hanging.set()
                        await asyncio.Event().wait()
                    elif step == CLOSE:
                        await writer.drain()
                        writer.close()
                        return
                    elif isinstance(step, bytes):
                        if counted:
                            self.in_flight -= 1
                            counted = False
                        writer.write(step)
                        await writer.drain()
                    elif isinstance(step, float):
                        await asyncio.sleep(step)
            except ConnectionError:
                return
            finally:
                self.in_flight -= counted

    def right(self, asked: Asked) -> list[Step]:
        """The right answer."""
        if asked.is_list:
            return [http(json.dumps({"keys": list(self.values)}).encode())]
        if asked.key not in self.values:
            return [http(b"{}", 404)]
        return [http(value_of(asked.key, self.values[asked.key]))]
