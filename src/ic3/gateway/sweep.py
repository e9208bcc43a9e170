"""One pass over the gateway: list the keys once, read each once, parse what has changed."""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

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
from ic3.domain.sweeps import Rejected, Sweep
from ic3.errors import GatewayError
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.errors import ContentError, Deferred

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
        self._accepted: dict[str, bytes] = {}
        self._plan = _Plan([], [], {}, 0, [])

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
        ends = sweep.started + deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                listed = await self._client.list_keys(KEY_PREFIX + "*")
        except TimeoutError:
            raise GatewayError(f"gateway: no list of keys within {deadline_s:g} s") from None
        finally:
            self._phase(sweep, "list", sweep.started)
        if listed.keys != self._plan.listed:
            self._plan = _plan(listed.keys)
        plan = self._plan
        sweep.listed, sweep.server_date = plan.serials, listed.server_date
        sweep.list_duplicates = plan.duplicates
        for item in plan.rejected:
            sweep.list_rejected[item.reason] += 1
            sweep.reject(item)
        sweep.list_rejected["not_text"] += listed.rejected
        sweep.list_rejected = +sweep.list_rejected
        sweep.keys_scanned = len(plan.keys)
        sweep.matched = register.count_matched(plan.serials.values())
        sweep.unmatched = sweep.keys_scanned - sweep.matched
        begun = self._clock.monotonic()
        failures = await self._client.read_all(
            plan.keys,
            lambda key, text: self._receive(sweep, plan.serials[key], key, text),
            deadline_s=max(0.0, ends - begun),
        )
        self._phase(sweep, "read", begun)
        for key, error in failures.items():
            self._fail(sweep, key, error)
        sweep.ended_at = self._clock.now()
        if sweep.keys_scanned and sweep.deferred + sweep.failed.total() == sweep.keys_scanned:
            (reason, _), *_ = sweep.failed.most_common(1) or [("deadline", 0)]
            sweep.error = f"gateway: none of {sweep.keys_scanned} keys could be read ({reason})"

    def accept(self, envelopes: Iterable[Envelope]) -> None:
        """Remember what is durable now; the same text is skipped from here on."""
        accepted = self._accepted
        for envelope in envelopes:
            accepted[envelope.asset_id] = envelope.content_hash
        if len(accepted) > 2 * len(self._plan.keys) + 1000:
            present = set(self._plan.serials.values())
            self._accepted = {name: kept for name, kept in accepted.items() if name in present}

    def remember(self, serial: str, content_hash: bytes) -> None:
        """Take from the database what an earlier process accepted."""
        self._accepted[serial] = content_hash

    def _receive(self, sweep: Sweep, serial: str, key: str, text: str) -> None:
        content_hash = content_hash_of(text)
        if self._accepted.get(serial) == content_hash:
            sweep.unchanged += 1
            return
        take(sweep, serial, key, text, received_us=self._clock.now_us(), content_hash=content_hash)

    @staticmethod
    def _fail(sweep: Sweep, key: str, error: GatewayError) -> None:
        if isinstance(error, Deferred):
            sweep.deferred += 1
        elif isinstance(error, ContentError):
            sweep.quarantined[error.reason] += 1
            sweep.reject(Rejected("outer", error.reason, key, error.raw, error.raw_length))
        else:
            sweep.failed[error.reason] += 1
            sweep.unread.append(key)

    def _phase(self, sweep: Sweep, name: str, begun: float) -> None:
        sweep.phase_ms[name] = round((self._clock.monotonic() - begun) * 1000, 3)


def take(
    sweep: Sweep, serial: str, key: str, text: str, *, received_us: int, content_hash: bytes
) -> None:
    """Parse the text of one key into the sweep: as an envelope, or as what it rejects.

    Args:
        sweep: Is added to.
        serial: From the key.
        key: As the gateway spells it.
        text: As read.
        received_us: When it was read, microseconds since 1970 UTC.
        content_hash: Of the text.
    """
    try:
        envelope = parse(serial, text, received_us=received_us, content_hash=content_hash)
    except EnvelopeRejected as error:
        scope = "inner" if error.reason in _REASONS_OF_THE_TEXT else "envelope"
        raw = text.encode("utf-8", "surrogatepass")
        sweep.quarantined[error.reason] += 1
        sweep.reject(Rejected(scope, error.reason, key, raw, len(raw), error.detail))
        return
    sweep.envelopes.append(envelope)
    if envelope.rejected:
        sweep.tags_rejected.update(envelope.rejected.values())
        words = ", ".join(f"{tag}: {why}" for tag, why in sorted(envelope.rejected.items()))
        raw = text.encode()
        sweep.reject(
            Rejected("tag", next(iter(envelope.rejected.values())), key, raw, len(raw), words)
        )


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
