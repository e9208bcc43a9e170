"""`ic3 tail`: every changed envelope of the running server, one line each, as it comes."""

import asyncio
import json
import random
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import typer

from ic3.cli import OK, app
from ic3.errors import AnswerError, LoginError, ServerAway
from ic3.settings import Settings, load

if TYPE_CHECKING:  # loaded where it is used, so that other commands start fast
    from ic3.cli.client import Client, RunningServer

REMEMBERED_LIMIT: Final = 100_000
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
CONNECT_LIMIT_S: Final = 10.0
TEXT_CHARACTERS: Final = 200
NORMAL: Final = frozenset({"", "NORMAL", "NONE", "OK"})

Value = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown; None shows all."""

    asset: str | None = None
    domain: str | None = None
    dma: str | None = None
    tag: str | None = None
    only_alarms: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """A tag whose value is another one than before; at first sight there is no before."""

    value: Value
    before: Value = None
    is_first: bool = False

    @property
    def difference(self) -> float | None:
        """Of two numbers."""
        if _is_number(self.value) and _is_number(self.before):
            return float(self.value) - float(self.before)  # type: ignore[arg-type]  # numbers
        return None


@dataclass(frozen=True, slots=True)
class Line:
    """One envelope as it is shown."""

    at: datetime
    asset: str
    domain: str
    changed: Mapping[str, Changed]
    quality: str
    alarm: str

    @property
    def is_abnormal(self) -> bool:
        """Whether its quality or its alarm is worth a colour."""
        return self.quality.upper() not in {"", "GOOD"} or self.alarm.upper() not in NORMAL


@dataclass(slots=True)
class Reader:
    """Turns frames into lines, and leaves out what nobody wants."""

    wish: Wish
    _last: OrderedDict[str, tuple[dict[str, Value], str]] = field(default_factory=OrderedDict)

    def read(self, frame: str) -> Line | None:
        """A line; None where the frame is not wanted or no envelope."""
        try:
            envelope = json.loads(frame)
            at = datetime.fromisoformat(envelope["occurred_at"])
            asset, values = str(envelope["asset_id"]), dict(envelope["values"])
        except (ValueError, KeyError, TypeError):
            return None
        alarm = str(envelope.get("alarm") or "")
        before, alarm_before = self._last.pop(asset, (None, None))
        self._last[asset] = (values, alarm)
        if len(self._last) > REMEMBERED_LIMIT:
            self._last.popitem(last=False)
        changed = _changes(before, values)
        line = Line(
            at, asset, str(envelope.get("domain") or ""), changed,
            str(envelope.get("quality") or ""), alarm,
        )  # fmt: skip
        return line if self._wants(line, alarm_before) else None

    def _wants(self, line: Line, alarm_before: str | None) -> bool:
        wish = self.wish
        told = alarm_before is not None and alarm_before != line.alarm
        return (
            wish.asset in {None, line.asset}
            and wish.domain in {None, line.domain}
            and (wish.tag is None or wish.tag in line.changed)
            and (not wish.only_alarms or told or line.alarm.upper() not in NORMAL)
        )


def _changes(before: dict[str, Value] | None, values: dict[str, Value]) -> dict[str, Changed]:
    if before is None:
        return {tag: Changed(value, is_first=True) for tag, value in values.items()}
    return {
        tag: Changed(value, before.get(tag), tag not in before)
        for tag, value in values.items()
        if tag not in before or before[tag] != value
    }


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_text(line: Line, zone: ZoneInfo, tag: str | None = None) -> str:
    """A line for people; text of the plant is escaped."""
    shown = line.changed
    if tag is not None and tag in shown:
        shown = {tag: shown[tag]}
    values = "  ".join(_told(name, each) for name, each in shown.items()) or "no value changed"
    try:
        at = line.at.astimezone(zone)
    except OverflowError:  # the last day of the calendar
        at = line.at
    parts = [
        f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}{at:%z}", safe(line.asset), values,
        f"quality {safe(line.quality) or 'unknown'}", f"alarm {safe(line.alarm) or 'none'}",
    ]  # fmt: skip
    return "  ".join(parts)


def as_json(line: Line) -> str:
    """The same for programs, one object a line, plain ASCII."""
    changed = {
        name: {"value": each.value, "before": each.before, "difference": each.difference}
        for name, each in line.changed.items()
    }
    return json.dumps(
        {
            "occurred_at": line.at.isoformat(), "asset_id": line.asset, "domain": line.domain,
            "changed": changed, "quality": line.quality, "alarm": line.alarm,
        }
    )  # fmt: skip


def safe(text: str) -> str:
    """Control characters, line ends and bidi marks never reach a terminal."""
    cut = text[:TEXT_CHARACTERS] + ("…" if len(text) > TEXT_CHARACTERS else "")
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in cut)


def _told(name: str, each: Changed) -> str:
    head = f"{safe(name)} {_value(each.value)}"
    if each.is_first:
        return head
    difference = each.difference
    if difference is not None:
        return f"{head} ({difference:+.6g})"
    return f"{head} (was {_value(each.before)})"


def _value(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"{value:.10g}" if _is_number(value) else safe(str(value))


class Tail:
    """Follows a server's socket for as long as it is asked to.

    Args:
        server: Which.
        reader: Chooses and reads.
        put: Takes each line.
        say: Takes the talk.
    """

    def __init__(
        self, server: "RunningServer", reader: Reader, put: Callable[[Line], None],
        say: Callable[[str], None], *, life_s: int,
    ) -> None:  # fmt: skip
        self._server = server
        self._reader = reader
        self._put = put
        self._say = say
        self._life_s = life_s
        self._dmas: dict[str, str | None] = {}

    async def follow(self) -> None:
        """Show every line until cancelled; a connection that is lost is made again.

        Raises:
            ServerAway: There was none from the start.
            LoginError: It does not let us in.
        """
        failures, has_been_in = 0, False
        while True:
            try:
                async with _connected(self._server, self._life_s) as socket:
                    if failures:
                        self._say("tail: connected again")
                    failures, has_been_in = 0, True
                    why = await self._drain(socket)
            except (ServerAway, AnswerError) as error:
                if not has_been_in:
                    raise
                why = str(error)
            failures += 1
            limit = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 10))
            pause_s = random.uniform(limit / 2, limit)  # noqa: S311  jitter
            self._say(
                f"tail: {safe(why)}; trying again in {pause_s:.1f} s, what comes meanwhile is not"
                " shown"
            )
            await asyncio.sleep(pause_s)

    async def _drain(self, socket: Any) -> str:
        """Show what comes; answers why it ended."""
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                frame = await socket.recv()
                line = self._reader.read(frame if isinstance(frame, str) else "")
                if line is not None and await self._in_dma(line):
                    self._put(line)
        except ConnectionClosed as closed:
            said = closed.rcvd.reason if closed.rcvd is not None else ""
            return said or "the connection was lost"

    async def _in_dma(self, line: Line) -> bool:
        """Whether the asset is in the wanted district area, by the register; asked once each."""
        wanted = self._reader.wish.dma
        if wanted is None:
            return True
        if line.asset not in self._dmas:
            if len(self._dmas) >= REMEMBERED_LIMIT:
                self._dmas.clear()
            self._dmas[line.asset] = await dma_of(self._server, line.asset)
        return self._dmas[line.asset] == wanted


async def dma_of(server: "RunningServer", asset: str) -> str | None:
    """The district area of an asset; None where the register does not know."""
    from ic3.cli.client import asking

    async with asking(server) as client:
        return await _dma(client, asset)


async def _dma(client: "Client", asset: str) -> str | None:
    try:
        found = await client.get(f"/api/cmms/assets/{quote(asset, safe='')}")
    except AnswerError as error:
        if error.status == 404:
            return None
        raise
    dma = found["data"].get("dma_id")
    return None if dma is None else str(dma)


@asynccontextmanager
async def _connected(server: "RunningServer", life_s: int) -> AsyncIterator[Any]:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException

    from ic3.cli.client import away

    try:
        socket = await connect(
            server.socket_address + "/ws", additional_headers=server.authorization(life_s),
            proxy=None, compression=None, max_size=1 << 22, open_timeout=CONNECT_LIMIT_S,
            close_timeout=1,
        )  # fmt: skip
    except InvalidStatus as refused:
        status = refused.response.status_code
        if status in {401, 403}:
            raise LoginError(
                "server: it does not let us in; IC3_JWT_SECRET or IC3_DATA_DIR is not the"
                " running server's"
            ) from None
        raise AnswerError(f"server: it answered {status}", status) from None
    except (OSError, TimeoutError, WebSocketException) as error:
        raise away(server, error) from None
    try:
        yield socket
    finally:
        await socket.close()


@app.command()
def tail(
    asset: Annotated[str | None, typer.Option(help="Only this serial number.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only this domain.")] = None,
    dma: Annotated[str | None, typer.Option(help="Only this district area, by register.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only changes of this tag.")] = None,
    alarm: Annotated[
        bool, typer.Option("--alarm", help="Only what has an alarm, and where it changes.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="NDJSON on standard output.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="No colour.")] = False,
) -> None:
    """Follow the running server: one line a changed envelope, until Ctrl-C."""
    settings = load()
    from ic3.cli.client import running_server
    from ic3.cli.connect import run, say

    put = _json_putter() if json_ else _text_putter(settings, tag, plain=plain)
    follower = Tail(
        running_server(settings), Reader(Wish(asset, domain, dma, tag, alarm)), put, say,
        life_s=settings.token_minutes * 60,
    )  # fmt: skip
    try:
        run(follower.follow())
    except BrokenPipeError:
        # Whoever read us has enough; without it the interpreter flushes nothing at exit.
        sys.stdout = None
        raise typer.Exit(OK) from None


def _json_putter() -> Callable[[Line], None]:
    return lambda line: print(as_json(line), flush=True)


def _text_putter(settings: Settings, tag: str | None, *, plain: bool) -> Callable[[Line], None]:
    zone = ZoneInfo(settings.zone)
    if plain or not sys.stdout.isatty():
        return lambda line: print(as_text(line, zone, tag), flush=True)
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False)  # heeds NO_COLOR itself

    def put(line: Line) -> None:
        style = "bold red" if line.is_abnormal else ""
        console.print(Text(as_text(line, zone, tag), style=style), soft_wrap=True)

    return put
