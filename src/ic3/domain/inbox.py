"""What the feed brings and nothing maps: unknown assets, and tags without a parameter."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from ic3.domain.envelope import Envelope, Plausibility, Value, plausibility
from ic3.domain.mapping import Register

LINES_LIMIT: Final = 100_000
SAMPLES: Final = 5
SAMPLE_CHARACTERS: Final = 200
WRITE_EVERY_US: Final = 60_000_000


class Kind(StrEnum):
    """The two lists."""

    ASSET = "asset"
    TAG = "tag"


class State(StrEnum):
    """What became of a line."""

    OPEN = "open"
    IGNORED = "ignored"
    MAPPED = "mapped"


class Key(NamedTuple):
    """What a line is about; `tag_code` is empty for an asset."""

    kind: Kind
    serial: str
    tag_code: str


class TagSample(msgspec.Struct, frozen=True):
    """A tag of an unknown asset with a value it had."""

    tag_code: str
    value: Value


Samples = tuple[Value | TagSample, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the inbox.

    Attributes:
        times_seen: Envelopes it was met in; in what is to be written, those not written yet.
        samples: Of a tag up to five different values, newest first; of an asset up to five tags.
    """

    key: Key
    domain: str | None
    value_type: str | None
    first_seen_us: int
    last_seen_us: int
    times_seen: int
    samples: Samples


class _Known(NamedTuple):
    """What is in memory of a line: when it was last written, and what was not."""

    written_us: int
    seen_us: int
    pending: int
    value_type: str | None
    samples: Samples


@dataclass(slots=True)
class Taken:
    """What a sweep means for the inbox.

    Attributes:
        lines: To write now.
        mapped: Lines that have a row in the register or the tag map by now.
        reopened: Lines that have lost it.
        left_out: New lines beyond the bound.
    """

    lines: list[Line] = field(default_factory=list)
    mapped: list[Key] = field(default_factory=list)
    reopened: list[Key] = field(default_factory=list)
    left_out: int = 0
    known: dict[Key, _Known] = field(default_factory=dict)
    version: int = 0


class Inbox:
    """Knows every line; says what to write: a new one at once, a repeated one once a minute."""

    def __init__(self, *, limit: int = LINES_LIMIT) -> None:
        self._limit = limit
        self._known: dict[Key, _Known] = {}
        self._pending: set[Key] = set()
        self._mapped: set[Key] = set()
        self._version = -1

    def restore(self, lines: Iterable[tuple[Line, State]]) -> None:
        """Take what the database holds."""
        self._known.clear()
        self._pending.clear()
        self._mapped.clear()
        for line, state in lines:
            self._known[line.key] = _Known(
                line.last_seen_us, line.last_seen_us, 0, line.value_type, line.samples
            )
            if state is State.MAPPED:
                self._mapped.add(line.key)
        self._version = -1

    def take(self, envelopes: Iterable[Envelope], register: Register, *, now_us: int) -> Taken:
        """What these envelopes mean; nothing changes before `apply`.

        Tags of an envelope whose time is implausible are not met, as in the mapping.

        Args:
            envelopes: Accepted envelopes of one sweep.
            register: Register and tag map that they are mapped by.
            now_us: The wall clock when the sweep ended, by which the mapping judges its times too.
        """
        taken = Taken(version=register.version)
        seen = _sightings(envelopes, register, now_us=now_us)
        for key, line in seen.items():
            self._meet(taken, key, line, now_us)
        for key in self._pending - seen.keys():
            known = self._known[key]
            if now_us - known.written_us >= WRITE_EVERY_US:
                taken.lines.append(Line(key, None, known.value_type, known.seen_us, known.seen_us,
                                        known.pending, known.samples))  # fmt: skip
                taken.known[key] = known._replace(written_us=now_us, pending=0)
        if register.version != self._version:
            self._judge(taken, register)
        return taken

    def apply(self, taken: Taken) -> None:
        """Take what `take` answered, once it is in the database."""
        self._known.update(taken.known)
        for key, known in taken.known.items():
            if known.pending:
                self._pending.add(key)
            else:
                self._pending.discard(key)
        self._mapped.update(taken.mapped)
        self._mapped.difference_update(taken.reopened)
        self._version = taken.version

    def __len__(self) -> int:
        return len(self._known)

    def _meet(self, taken: Taken, key: Key, line: Line, now_us: int) -> None:
        known = self._known.get(key)
        if known is None:
            if len(self._known) + len(taken.known) >= self._limit:
                taken.left_out += 1
                return
            taken.lines.append(line)
            taken.known[key] = _Known(now_us, line.last_seen_us, 0, line.value_type, line.samples)
            return
        value_type = line.value_type or known.value_type
        samples = _newest(line.samples, known.samples) if key.kind is Kind.TAG else line.samples
        pending = known.pending + line.times_seen
        if now_us - known.written_us < WRITE_EVERY_US and key not in self._mapped:
            taken.known[key] = _Known(
                known.written_us, line.last_seen_us, pending, value_type, samples
            )
            return
        taken.lines.append(Line(key, line.domain, value_type, line.first_seen_us,
                                line.last_seen_us, pending, samples))  # fmt: skip
        taken.known[key] = _Known(now_us, line.last_seen_us, 0, value_type, samples)

    def _judge(self, taken: Taken, register: Register) -> None:
        """The register has changed, by whatever way: which lines are mapped now."""
        for key in (*self._known, *(key for key in taken.known if key not in self._known)):
            asset = register.assets.get(key.serial)
            mapped = asset is not None and (
                key.kind is Kind.ASSET or key.tag_code in asset.parameters
            )
            if mapped and key not in self._mapped:
                taken.mapped.append(key)
            elif not mapped and key in self._mapped:
                taken.reopened.append(key)


def _sightings(
    envelopes: Iterable[Envelope], register: Register, *, now_us: int
) -> dict[Key, Line]:
    """What is unknown or unmapped in the envelopes, one line each."""
    seen: dict[Key, Line] = {}
    assets = register.assets
    for envelope in envelopes:
        serial = envelope.asset_id
        asset = assets.get(serial)
        if asset is None:
            _see(seen, Key(Kind.ASSET, serial, ""), envelope, None, _tags_of(envelope))
            continue
        if envelope.values.keys() <= asset.parameters.keys():
            continue
        if plausibility(envelope.occurred_us, now_us=now_us) is not Plausibility.PLAUSIBLE:
            continue
        for tag, value in envelope.values.items():
            if tag not in asset.parameters:
                _see(seen, Key(Kind.TAG, serial, tag), envelope, value_type(value),
                     (_sample(value),))  # fmt: skip
    return seen


def _see(
    seen: dict[Key, Line], key: Key, envelope: Envelope, kind: str | None, samples: Samples
) -> None:
    before = seen.get(key)
    at_us = envelope.received_us
    if before is None:
        seen[key] = Line(key, envelope.domain, kind, at_us, at_us, 1, samples)
        return
    if key.kind is Kind.TAG:
        samples = _newest(samples, before.samples)
    seen[key] = Line(
        key, envelope.domain, kind or before.value_type, min(before.first_seen_us, at_us),
        max(before.last_seen_us, at_us), before.times_seen + 1, samples,
    )  # fmt: skip


def value_type(value: Value) -> str | None:
    """The word for a value's type; None for null, which tells nothing."""
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case str():
            return "text"
        case _:
            return "number"


def _sample(value: Value) -> Value:
    return value[:SAMPLE_CHARACTERS] if isinstance(value, str) else value


def _tags_of(envelope: Envelope) -> Samples:
    few = islice(envelope.values.items(), SAMPLES)
    return tuple(TagSample(tag, _sample(value)) for tag, value in few)


def _newest(samples: Samples, before: Samples) -> Samples:
    """Different ones, newest first; 1, 1.0 and true are told apart."""
    different = {(type(each), each): each for each in (*samples, *before)}
    return tuple(islice(different.values(), SAMPLES))
