"""The register refreshed from the external CMMS: a batch, one asset, and how far it is."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from ic3.api.callers import actor_of
from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.errors import ApiError, CmmsError, Contended, Refused, TooSlow
from ic3.gateway.innomaint import InnomaintClient
from ic3.observations import CmmsSynchronised, Observe
from ic3.store.cmms import CmmsStore, SyncProgress

ERRORS_SHOWN: Final = 100
# So many in a row say that the CMMS is away, not the assets.
AWAY_IN_A_ROW: Final = 3


class SyncAnswer(msgspec.Struct):
    """What became of the assets; `total` is the sum of the other three counts."""

    total: int
    success: int
    failed: int
    skipped: int
    errors: list[str]
    duration_ms: int


class SyncState(msgspec.Struct):
    """How far the synchronisation is; `progress` is null where it never ran."""

    running: bool
    progress: SyncProgress | None


@dataclass(slots=True)
class _Count:
    success: int = 0
    failed: int = 0
    skipped: int = 0
    conflicts: int = 0
    away: int = 0
    errors: list[str] = field(default_factory=list)
    more: int = 0

    def note(self, words: str) -> None:
        if len(self.errors) < ERRORS_SHOWN:
            self.errors.append(words)
        else:
            self.more += 1


class CmmsSync:
    """Asks the CMMS asset by asset and writes each answer by itself: a kill loses one at most.

    Args:
        store: Keeps the place, writes the register.
        make_client: Makes a client; None where no CMMS is configured.
        clock: Measures.
        observe: Told of each synchronisation.
    """

    def __init__(
        self, store: CmmsStore, make_client: Callable[[], InnomaintClient] | None, *, clock: Clock,
        observe: Observe,
    ) -> None:  # fmt: skip
        self._store = store
        self._make_client = make_client
        self._clock = clock
        self._observe = observe
        self._turn = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self._turn.locked()

    async def progress(self) -> SyncProgress | None:
        """How far the newest batch is, or came."""
        return await self._store.progress()

    async def batch(self, actor: Actor, *, batch: int, offset: int | None) -> SyncAnswer:
        """Refresh so many assets; a failing one never stops the rest.

        Args:
            actor: Who synchronises.
            batch: How many at most.
            offset: How many of the register to pass over; None goes on behind the last one done.
        """
        async with self._alone() as client:
            began, count = self._clock.monotonic(), _Count()
            assets = await self._store.begin(actor, batch=batch, offset=offset)
            for number, serial in assets:
                if count.away >= AWAY_IN_A_ROW:
                    break
                await self._one(client, actor, serial, count, asset_id=number)
            left = len(assets) - count.success - count.failed - count.skipped
            if left:
                count.skipped += left
                count.note(f"the CMMS does not answer: {left} assets were not asked for")
            answer = self._answer(count, began)
            at_end = not left and len(assets) < batch
            object_ = f"{len(assets)} assets"
            await self._store.end(actor, object_, _told(answer, count), left=left, at_end=at_end)
            return answer

    async def one(self, actor: Actor, serial: str) -> SyncAnswer:
        """Refresh one asset; one that the register lacks is added if the CMMS knows it."""
        async with self._alone() as client:
            began, count = self._clock.monotonic(), _Count()
            await self._one(client, actor, serial, count, asset_id=None)
            answer = self._answer(count, began)
            await self._store.end(
                actor, f"asset {serial!r}", _told(answer, count), left=0, at_end=False, batch=False
            )
            return answer

    def _alone(self) -> "_Alone":
        if self._make_client is None:
            raise ApiError(
                503, "cmms not configured",
                "set IC3_CMMS_BASE to the address of Innomaint, and IC3_CMMS_TOKEN",
            )  # fmt: skip
        if self._turn.locked():
            raise ApiError(409, "synchronisation runs", "GET /api/admin/cmms/sync says how far")
        return _Alone(self._turn, self._make_client())

    async def _one(
        self, client: InnomaintClient, actor: Actor, serial: str, count: _Count,
        *, asset_id: int | None,
    ) -> None:  # fmt: skip
        """Ask for an asset and write what comes; whatever goes wrong with it is counted."""
        try:
            fields = await client.asset(serial)
            count.conflicts += await self._store.settle(actor, fields, asset_id=asset_id)
            count.success, count.away = count.success + 1, 0
            return
        except CmmsError as error:
            words = error.words
            count.away = count.away + 1 if error.away else 0
        except Refused as error:
            words = f"the register does not take what it says ({error.sqlstate})"
        except (Contended, TooSlow):
            words = "the register was being changed, or slow; ask again"
        count.failed += 1
        count.note(f"{serial}: {words}")
        await self._store.settle(actor, None, asset_id=asset_id)

    def _answer(self, count: _Count, began: float) -> SyncAnswer:
        total = count.success + count.failed + count.skipped
        errors = [*count.errors, *([f"and {count.more} more"] if count.more else [])]
        took_ms = round((self._clock.monotonic() - began) * 1000)
        self._observe(
            CmmsSynchronised(
                count.success, count.failed, count.skipped, count.conflicts, took_ms,
                count.errors[0] if count.errors else "",
            )
        )  # fmt: skip
        return SyncAnswer(total, count.success, count.failed, count.skipped, errors, took_ms)


class _Alone:
    """One synchronisation at a time, with a client of its own."""

    def __init__(self, turn: asyncio.Lock, client: InnomaintClient) -> None:
        self._turn = turn
        self._client = client

    async def __aenter__(self) -> InnomaintClient:
        await self._turn.acquire()
        return await self._client.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._client.__aexit__(*error)
        finally:
            self._turn.release()


async def sync_batch(
    cmms_sync: NamedDependency[CmmsSync],
    request: Request[Any, Any, Any],
    batch: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    offset: Annotated[int | None, QueryParameter(ge=0, le=2**31 - 1)] = None,
) -> SyncAnswer:
    """Refresh a batch of the register from the CMMS; without `offset` where the last one ended."""
    return await cmms_sync.batch(actor_of(request), batch=batch, offset=offset)


async def sync_one(
    serial_number: FromPath[str],
    cmms_sync: NamedDependency[CmmsSync],
    request: Request[Any, Any, Any],
) -> SyncAnswer:
    """Refresh one asset from the CMMS, or add it."""
    serial = unquote(serial_number, errors="replace")
    if "\0" in serial or not serial.isprintable() or len(serial) > 1000 or not serial.strip():
        raise ApiError(422, "no serial number", "it is printable and has at most 1,000 characters")
    return await cmms_sync.one(actor_of(request), serial)


async def sync_state(cmms_sync: NamedDependency[CmmsSync]) -> SyncState:
    """How far the synchronisation with the CMMS is."""
    return SyncState(cmms_sync.running, await cmms_sync.progress())


def _told(answer: SyncAnswer, count: _Count) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(answer)
    told["errors"] = answer.errors[:10]
    return {**told, "conflicts": count.conflicts}
