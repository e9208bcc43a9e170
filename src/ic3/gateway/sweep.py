"""One pass over the gateway: list the keys once, read each once, parse what has changed."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from ic3.clock import Clock
from ic3.domain.envelope import (
    KEY_PREFIX,
    Envelope,
    EnvelopeRejected,
    Reject,
    parse,
    serial_of_key,
)
from ic3.domain.mapping import Register
from ic3.domain.sweeps import KEPT_KEYS, Rejected, Sweep
from ic3.errors import GatewayError
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.errors import ContentError, CutOff, Deferred

_REASONS_OF_THE_TEXT = {
    Reject.BAD_JSON, Reject.BAD_UNICODE, Reject.TOO_DEEP, Reject.NOT_AN_OBJECT,
}  # fmt: skip


@dataclass(slots=True)
class _Plan:
    """What one list of keys means; kept while the list stays the same."""

    listed: list[str]
    keys: list[str]
    serials: dict[str, str]
    duplicates: int
    rejected: list[Rejected]


class _Known(msgspec.Struct, frozen=True, gc=False):
    """What a key held when it was last accepted."""

    content_hash: bytes
    record_id: str
    occurred_us: int

    def is_of(self, envelope: Envelope) -> bool:
        """Whether that was the same record."""
        return (self.record_id, self.occurred_us) == (envelope.record_id, envelope.occurred_us)


class Sweeper:
    """Sweeps the gateway and knows what every key held when it was last accepted.

    Args:
        client: The gateway.
        simulated: Whether it is the bundled plant.
        clock: Stamps readings and measures phases.
    """

    def __init__(self, client: RedisRESTClient, *, simulated: bool, clock: Clock) -> None:
        self._client = client
        self._simulated = simulated
        self._clock = clock
        self._accepted: dict[str, _Known] = {}
        self._plan = _Plan([], [], {}, 0, [])
        self._unfinished: list[str] = []  # of the last sweep; at most the keys of one list
        self._cut: set[str] = set()
        self._hanging: list[str] = []

    def begin(self) -> Sweep:
        """A sweep that begins now."""
        return Sweep(
            begun_at=self._clock.now(),
            started=self._clock.monotonic(),
            simulated=self._simulated,
        )

    async def run(self, sweep: Sweep, register: Register, *, deadline_s: float) -> None:
        """Fill the sweep.

        Args:
            sweep: From `begin`.
            register: To count matched and unmatched keys.
            deadline_s: Total seconds for all of it.

        Raises:
            GatewayError: The list could not be read.
        """
        # Not since the sweep began: the register was loaded in between.
        begun = self._clock.monotonic()
        ends = begun + deadline_s
        try:
            listed = await self._client.list_keys(KEY_PREFIX + "*", within_s=deadline_s)
        finally:
            self._phase(sweep, "list", begun)
        if listed.keys != self._plan.listed:
            self._plan = _plan(listed.keys)
        plan = self._plan
        sweep.keys_listed = len(listed.keys) + listed.rejected
        sweep.listed, sweep.server_date = plan.serials, listed.server_date
        sweep.list_duplicates = plan.duplicates
        for item in plan.rejected:
            sweep.list_rejected[item.reason] += 1
            sweep.name_key(f"rejected:{item.reason}", item.key)
            sweep.reject(item)
        sweep.list_rejected["not_text"] += listed.rejected
        sweep.list_rejected = +sweep.list_rejected
        sweep.keys_scanned = len(plan.keys)
        sweep.matched = register.count_matched(plan.serials.values())
        strangers = [each for each in plan.serials.values() if each not in register.assets]
        sweep.unmatched = len(strangers)
        for serial in strangers[:KEPT_KEYS]:
            sweep.name_key("unmatched", serial)
        begun = self._clock.monotonic()
        failures = await self._client.read_all(
            self._in_order(plan),
            lambda key, text: self._receive(sweep, plan.serials[key], key, text),
            deadline_s=max(0.0, ends - begun),
        )
        self._phase(sweep, "read", begun)
        for key, error in failures.items():
            self._fail(sweep, key, error)
        self._learn(failures)
        sweep.ended_at = self._clock.now()
        sweep.error = self._error_of(sweep)

    def _error_of(self, sweep: Sweep) -> str | None:
        """Why the sweep as a whole has failed; None where it has not."""
        scanned, deferred = sweep.keys_scanned, sweep.deferred
        missing = deferred.total() + sweep.failed.total()
        left_alone = deferred.total() > deferred["deadline"]
        if left_alone:
            why = self._client.breaker.why
            return f"gateway: {why}; {scanned - missing} of {scanned} keys were read"
        if scanned and missing == scanned:
            (reason, _), *_ = sweep.failed.most_common(1) or [("deadline", 0)]
            return f"gateway: none of {scanned} keys could be read ({reason})"
        return None

    def _learn(self, failures: Mapping[str, GatewayError]) -> None:
        """Which keys come first in the next sweep, and which last.

        Those cut off by the deadline come behind those that had not their turn. They come last
        where all others had theirs, or where it happens again: then they hang, and would hold up
        what is asked behind them.
        """
        cut, waiting = [], []
        slow = any(isinstance(error, Deferred) for error in failures.values())
        for key, error in failures.items():
            if isinstance(error, CutOff) and not error.behind:
                cut.append(key)
            elif isinstance(error, CutOff | Deferred):
                waiting.append(key)
        self._hanging = [key for key in cut if not slow or key in self._cut]
        self._unfinished = waiting + [key for key in cut if slow and key not in self._cut]
        self._cut = set(cut)

    def _in_order(self, plan: _Plan) -> list[str]:
        """The keys: first those that the last sweep did not finish, then in the list's order."""
        if not (self._unfinished or self._hanging):
            return plan.keys
        last = {key: None for key in self._hanging if key in plan.serials}
        first = [key for key in self._unfinished if key in plan.serials]
        listed = (key for key in plan.keys if key not in last)
        return list(dict.fromkeys([*first, *listed, *last]))

    def accept(self, envelopes: Iterable[Envelope]) -> None:
        """Remember what is durable now; the same text is skipped from here on."""
        accepted = self._accepted
        for envelope in envelopes:
            accepted[envelope.asset_id] = _Known(
                envelope.content_hash, envelope.record_id, envelope.occurred_us
            )
        if len(accepted) > 2 * len(self._plan.keys) + 1000:
            present = set(self._plan.serials.values())
            self._accepted = {name: kept for name, kept in accepted.items() if name in present}

    def remember(self, serial: str, content_hash: bytes, record_id: str, occurred_us: int) -> None:
        """Take from database or spool what an earlier process accepted."""
        self._accepted[serial] = _Known(content_hash, record_id, occurred_us)

    def _receive(self, sweep: Sweep, serial: str, key: str, text: str) -> None:
        sweep.read_ok += 1
        content_hash = content_hash_of(text)
        known = self._accepted.get(serial)
        if known is not None and known.content_hash == content_hash:
            sweep.unchanged += 1
            return
        envelope = take(
            sweep, serial, key, text, received_us=self._clock.now_us(), content_hash=content_hash
        )
        if envelope is None:
            return
        if known is not None and known.is_of(envelope):
            quarantine(sweep, "envelope", Reject.KEY_CONFLICT, key, text)
        else:
            keep(sweep, key, text, envelope)

    @staticmethod
    def _fail(sweep: Sweep, key: str, error: GatewayError) -> None:
        serial = key.removeprefix(KEY_PREFIX)
        if isinstance(error, Deferred):
            sweep.deferred[error.reason] += 1
            sweep.name_key(f"deferred:{error.reason}", serial)
        elif isinstance(error, ContentError):
            sweep.read_ok += 1
            sweep.quarantined[error.reason] += 1
            sweep.name_key(f"quarantined:{error.reason}", serial)
            sweep.reject(
                Rejected("outer", error.reason, key, error.raw, error.raw_length, error.why)
            )
        else:
            sweep.failed[error.reason] += 1
            sweep.name_key(f"failed:{error.reason}", serial)
            sweep.unread.append(key)

    def _phase(self, sweep: Sweep, name: str, begun: float) -> None:
        sweep.phase_ms[name] = round((self._clock.monotonic() - begun) * 1000, 3)


def take(
    sweep: Sweep, serial: str, key: str, text: str, *, received_us: int, content_hash: bytes
) -> Envelope | None:
    """Parse the text of one key; what is no envelope is put into the sweep as such.

    Args:
        sweep: Where a reject is counted and kept.
        serial: From the key.
        key: As the gateway spells it.
        text: As read.
        received_us: When it was read, microseconds since 1970 UTC.
        content_hash: Of the text.

    Returns:
        The envelope, which `keep` puts into the sweep, or None.
    """
    try:
        return parse(serial, text, received_us=received_us, content_hash=content_hash)
    except EnvelopeRejected as error:
        scope = "inner" if error.reason in _REASONS_OF_THE_TEXT else "envelope"
        quarantine(sweep, scope, error.reason, key, text, error.detail)
        return None


def keep(sweep: Sweep, key: str, text: str, envelope: Envelope) -> None:
    """Put an envelope into the sweep, and its rejected tags beside it."""
    sweep.take(envelope)
    if envelope.rejected:
        sweep.tags_rejected.update(envelope.rejected.values())
        words = ", ".join(f"{tag}: {why}" for tag, why in sorted(envelope.rejected.items()))
        raw = text.encode()
        sweep.reject(
            Rejected("tag", next(iter(envelope.rejected.values())), key, raw, len(raw), words)
        )


def quarantine(
    sweep: Sweep, scope: str, reason: str, key: str, text: str, detail: str = ""
) -> None:
    """Count an envelope that is not taken, and keep it with its bytes."""
    raw = text.encode("utf-8", "surrogatepass")
    sweep.quarantined[reason] += 1
    sweep.name_key(f"quarantined:{reason}", key.removeprefix(KEY_PREFIX))
    sweep.reject(Rejected(scope, reason, key, raw, len(raw), detail))


def content_hash_of(text: str) -> bytes:
    """What tells a changed text from an unchanged one: BLAKE2b-128."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _plan(listed: list[str]) -> _Plan:
    serials: dict[str, str] = {}
    rejected: list[Rejected] = []
    unique = dict.fromkeys(listed)
    for key in unique:
        try:
            serials[key] = serial_of_key(key)
        except EnvelopeRejected as error:
            raw = key.encode("utf-8", "surrogatepass")
            rejected.append(Rejected("list", error.reason, key, raw, len(raw)))
    return _Plan(listed, list(serials), serials, len(listed) - len(unique), rejected)
