"""What was not taken: shown with its bytes, replayed after a fix, purged."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from ic3.api.callers import actor_of
from ic3.api.lists import Cursor, number_in, paged
from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.cursors import cursor_of
from ic3.domain.envelope import Envelope, EnvelopeRejected, Reject, serial_of_key
from ic3.domain.latest import LatestReadings
from ic3.domain.quarantine import in_base64, readable, words_for
from ic3.domain.sweeps import Origin, Sweep
from ic3.errors import ApiError
from ic3.gateway.connection import REFUSED_TEXT, Answer, content_error
from ic3.gateway.errors import AnswerError
from ic3.gateway.sweep import content_hash_of, take
from ic3.store.quarantine import Choice, Item, Kept, QuarantineStore, ReasonCount, Stored
from ic3.store.telemetry import RefusesEverything, TelemetryStore

REPLAY_LIMIT: Final = 1000
CUT: Final = "cut"
NO_VALUE: Final = "no_value"
REFUSED: Final = "refused_by_database"
STORED_WITHOUT: Final = "stored_without_it"
OUTCOME_WORDS: Final = {
    CUT: "only its first 16 KiB were kept; the gateway has to send it again",
    NO_VALUE: "an entry of the key list holds no reading to take",
    REFUSED: "the database refused the row",
    STORED_WITHOUT: "telemetry holds the record without that tag; it cannot be added to it",
}

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
ItemId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
ItemIds = Annotated[list[ItemId], msgspec.Meta(min_length=1, max_length=REPLAY_LIMIT)]


class QuarantinePage(msgspec.Struct):
    """Counts by reason, and items, the newest first; ask on with `cursor=next`."""

    counts: list[ReasonCount]
    items: list[Item]
    next: str | None


class ItemView(msgspec.Struct):
    """One item with its bytes as kept, as base64 and as text with what cannot be shown escaped."""

    item: Item
    raw_base64: str
    raw_text: str
    raw_sha256: str
    cut: bool


class ReplayRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Which items to take again: these, or at most 1,000 of a scope or reason.

    Of a scope or reason only items behind the number `after`; ask on with the last of the answer.
    """

    ids: ItemIds | None = None
    scope: Word | None = None
    reason: Word | None = None
    after: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0


class ItemOutcome(msgspec.Struct, frozen=True):
    """What became of an item: stored, duplicate, or refused with reason and words."""

    id: int
    outcome: str
    reason: str | None = None
    words: str | None = None


class ReplayAnswer(msgspec.Struct):
    """What a replay did; `replay_id` is the job that makes the monitoring rows."""

    stored: int
    duplicate: int
    refused: int
    replay_id: int | None
    items: list[ItemOutcome]


class PurgeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Which items to delete for good; `confirm` is how many they are, as a preview answered."""

    ids: ItemIds | None = None
    scope: Word | None = None
    reason: Word | None = None
    preview: bool = False
    confirm: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


class PurgeAnswer(msgspec.Struct):
    """How many items were deleted, or would be."""

    items: int
    preview: bool


class _Try(msgspec.Struct):
    """An item on its way: the envelope it became, or why it did not."""

    kept: Kept
    envelope: Envelope | None = None
    reason: str | None = None

    def refuse(self, reason: str | None) -> None:
        """Take it no further; None lets it go on."""
        if reason is not None:
            self.envelope, self.reason = None, reason


class Quarantine:
    """Takes items again by the same path as live readings.

    Args:
        store: The items.
        telemetry: Where they go.
        latest: Whose register counts them as matched.
        clock: Stamps the sweeps of the replay.
        simulated: Whether this database is the bundled plant's.
    """

    def __init__(
        self, store: QuarantineStore, telemetry: TelemetryStore, latest: LatestReadings,
        clock: Clock, *, simulated: bool,
    ) -> None:  # fmt: skip
        self.store = store
        self._telemetry = telemetry
        self._latest = latest
        self._clock = clock
        self._simulated = simulated

    async def replay(self, actor: Actor, choice: Choice, *, after: int = 0) -> ReplayAnswer:
        """Parse items again, store what is now taken, say why of the rest.

        Killed in the middle, it is done again: what was stored is a duplicate then.
        """
        ids = await self.store.open_ids(choice, REPLAY_LIMIT, after=after)
        tries = [_parsed(each) for each in await self.store.kept(ids)]
        duplicates = set()
        for batch in _once_an_asset(tries):
            envelopes = [each.envelope for each in batch if each.envelope]
            # Anew for each batch: one before it may have stored the same key.
            known = await self.store.stored_already(envelopes)
            gone = await self._save([each for n, each in enumerate(envelopes) if n not in known])
            for n, each in enumerate(batch):
                if n in known:
                    each.refuse(_why_not_again(each.kept, envelopes[n], known[n]))
                    duplicates.add(each.kept.id)
                elif id(envelopes[n]) in gone:
                    each.refuse(REFUSED)
        taken = {each.kept.id: each.envelope for each in tries if each.envelope is not None}
        refused = {each.kept.id: each.reason for each in tries if each.reason is not None}
        job = None
        if tries:
            job = await self.store.mark_replayed(actor, taken, refused, now_us=self._clock.now_us())
        return _answer(tries, duplicates, job)

    async def _save(self, batch: Sequence[Envelope]) -> set[int]:
        """Store a batch; answers the `id` of each envelope that PostgreSQL refused."""
        if not batch:
            return set()
        sweep = self._sweep(list(batch))
        try:
            await self._telemetry.save(sweep, now_us=self._clock.now_us())
        except RefusesEverything:
            return {id(each) for each in batch}
        return {id(each) for each in batch} - {id(each) for each in sweep.envelopes}

    def _sweep(self, envelopes: list[Envelope]) -> Sweep:
        now = self._clock.now()
        matched = self._latest.register.count_matched(each.asset_id for each in envelopes)
        return Sweep(
            begun_at=now, ended_at=now, started=self._clock.monotonic(),
            simulated=self._simulated, keys_listed=len(envelopes), keys_scanned=len(envelopes),
            read_ok=len(envelopes), accepted=len(envelopes), matched=matched,
            unmatched=len(envelopes) - matched, envelopes=envelopes, origin=Origin.REPLAY,
        )  # fmt: skip


async def listed(
    quarantine: NamedDependency[Quarantine],
    request: Request[Any, Any, Any],
    in_scope: Annotated[
        str | None, QueryParameter(name="scope", max_length=64, pattern=r"^[^\x00]*$")
    ] = None,
    reason: Annotated[str | None, QueryParameter(max_length=64, pattern=r"^[^\x00]*$")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[QuarantinePage]:
    """What was not taken, counted by reason in plain words, and the items, the newest first."""
    store = quarantine.store
    items = await store.page(scope=in_scope, reason=reason, limit=limit, below=number_in(cursor))
    following = cursor_of(items[-1].id) if len(items) == limit else None
    return paged(request, QuarantinePage(await store.counts(), items, following), following)


async def one(quarantine: NamedDependency[Quarantine], item_id: FromPath[int]) -> ItemView:
    """One item with its bytes."""
    found = await quarantine.store.item(item_id) if 0 < item_id < 2**63 else None
    if found is None:
        raise ApiError(404, "item not found", "it was purged, or fell out at the bound")
    item, raw, sha256 = found
    return ItemView(item, in_base64(raw), readable(raw), sha256.hex(), item.raw_length > len(raw))


async def replay(
    data: JSONBody[ReplayRequest],
    quarantine: NamedDependency[Quarantine],
    request: Request[Any, Any, Any],
) -> ReplayAnswer:
    """Take items again after a fix; what is still refused says why."""
    _check(data)
    choice = Choice(data.ids, data.scope, data.reason)
    return await quarantine.replay(actor_of(request), choice, after=data.after)


async def purge(
    data: JSONBody[PurgeRequest],
    quarantine: NamedDependency[Quarantine],
    request: Request[Any, Any, Any],
) -> PurgeAnswer:
    """Delete items for good, once `confirm` says how many they are."""
    _check(data)
    choice = Choice(data.ids, data.scope, data.reason)
    if data.preview:
        return PurgeAnswer(await quarantine.store.count(choice), preview=True)
    if data.confirm is None:
        raise ApiError(422, "confirm required", "send the number of items that a preview answers")
    deleted = await quarantine.store.purge(actor_of(request), choice, confirm=data.confirm)
    return PurgeAnswer(deleted, preview=False)


def _check(data: ReplayRequest | PurgeRequest) -> None:
    if data.ids is None and data.scope is None and data.reason is None:
        raise ApiError(422, "nothing chosen", "name ids, a scope or a reason")


def _parsed(kept: Kept) -> _Try:
    """The same path as live: outer layer, text, envelope."""
    if kept.scope == "list":
        return _Try(kept, reason=NO_VALUE)
    if kept.raw_length > len(kept.raw):
        return _Try(kept, reason=CUT)
    try:
        key = kept.key.decode()
        text = _value_in(kept, key)
        sweep = Sweep(begun_at=kept.last_seen_at, started=0.0, simulated=False)
        envelope = take(
            sweep, serial_of_key(key), key, text, content_hash=content_hash_of(text),
            received_us=round(kept.last_seen_at.timestamp() * 1_000_000),
        )  # fmt: skip
    except UnicodeDecodeError:
        return _Try(kept, reason=Reject.BAD_UNICODE)
    except (EnvelopeRejected, AnswerError) as error:
        return _Try(kept, reason=error.reason)
    found = _Try(kept, envelope=envelope)
    if envelope is None:
        found.refuse(sweep.rejected[0].reason)
    elif kept.scope == "tag":
        found.refuse(next(iter(envelope.rejected.values()), None))
    return found


def _why_not_again(kept: Kept, envelope: Envelope, stored: Stored) -> str | None:
    """Why an item whose key telemetry has is no duplicate; None where it is one."""
    if envelope.content_hash != stored.content_hash:
        return Reject.KEY_CONFLICT
    return STORED_WITHOUT if kept.scope == "tag" and not stored.whole else None


def _value_in(kept: Kept, key: str) -> str:
    if kept.scope != "outer":
        return kept.raw.decode()
    try:
        answer = msgspec.json.decode(kept.raw, type=Answer)
    except REFUSED_TEXT:
        answer = None
    error = content_error(key, bytearray(kept.raw), answer)
    if error is not None:
        raise error
    assert answer is not None
    assert answer.value is not None
    return answer.value


def _once_an_asset(tries: Sequence[_Try]) -> Iterator[list[_Try]]:
    """Batches in which no asset comes twice: the latest table takes one row an asset."""
    left = [each for each in tries if each.envelope is not None]
    while left:
        batch = {each.envelope.asset_id: each for each in reversed(left) if each.envelope}
        yield list(batch.values())
        chosen = {each.kept.id for each in batch.values()}
        left = [each for each in left if each.kept.id not in chosen]


def _answer(tries: Sequence[_Try], duplicates: set[int], job: int | None) -> ReplayAnswer:
    items = []
    for each in tries:
        number, reason = each.kept.id, each.reason
        if reason is not None:
            words = OUTCOME_WORDS.get(reason) or words_for(reason)
            items.append(ItemOutcome(number, "refused", reason, words))
        else:
            items.append(ItemOutcome(number, "duplicate" if number in duplicates else "stored"))
    counts = {word: sum(each.outcome == word for each in items) for word in
              ("stored", "duplicate", "refused")}  # fmt: skip
    return ReplayAnswer(**counts, replay_id=job, items=items)
