"""The telemetry envelope: the one place that turns the plant's text into time and numbers."""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

Value = float | int | str | bool | None

KEY_PREFIX: Final = "ic3:latest:"
MAX_KEY_BYTES: Final = 1024
MAX_TAGS: Final = 500
MAX_TAG_CHARACTERS: Final = 200
MAX_TEXT_BYTES: Final = 4096
MAX_FIELD_CHARACTERS: Final = 256
MAX_SECOND_LOOK_BYTES: Final = 64 * 1024
MAX_SAFE_INTEGER: Final = 2**53 - 1
FUTURE_LIMIT_US: Final = 5 * 60 * 1_000_000
YEAR_2000_US: Final = 946_684_800 * 1_000_000

# RFC 3339 with a zone and nothing else: what a library reads may change with its version, and the
# time is part of the key of a reading.
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d{1,9})\d*)?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_ZONELESS = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A sweep holds few different seconds: parsing each once halves the cost of an envelope.
_seconds: Final = dict[str, int]()
_SECONDS_LIMIT: Final = 4096


class Reject(StrEnum):
    """Why a key, an envelope or one tag is not taken; each is a counter."""

    WRONG_PREFIX = "wrong_prefix"
    EMPTY_SUFFIX = "empty_suffix"
    KEY_TOO_LONG = "key_too_long"
    BAD_KEY_CHARACTER = "bad_key_character"
    BAD_JSON = "bad_json"
    BAD_UNICODE = "bad_unicode"
    TOO_DEEP = "too_deep"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_RECORD_ID = "missing_record_id"
    MISSING_ASSET_ID = "missing_asset_id"
    ASSET_MISMATCH = "asset_mismatch"
    MISSING_VALUES = "missing_values"
    TOO_MANY_TAGS = "too_many_tags"
    BAD_TIME = "bad_time"
    TIME_WITHOUT_ZONE = "time_without_zone"
    FIELD_TOO_LONG = "field_too_long"
    BAD_FIELD = "bad_field"
    INTEGER_OUT_OF_RANGE = "integer_out_of_range"
    NON_FINITE = "non_finite"
    TEXT_TOO_LONG = "text_too_long"
    NUL_CHARACTER = "nul_character"
    NESTED_VALUE = "nested_value"
    BAD_TAG_NAME = "bad_tag_name"
    KEY_CONFLICT = "key_conflict"
    UNCLASSIFIED = "unclassified"


REJECT_WORDS: Final[Mapping[Reject, str]] = {
    Reject.WRONG_PREFIX: f"the key does not begin with {KEY_PREFIX}",
    Reject.EMPTY_SUFFIX: "the key names no asset",
    Reject.KEY_TOO_LONG: f"the key is longer than {MAX_KEY_BYTES} bytes",
    Reject.BAD_KEY_CHARACTER: "the key holds a NUL character",
    Reject.BAD_JSON: "the value is not JSON",
    Reject.BAD_UNICODE: "the text holds half a character (a lone surrogate)",
    Reject.TOO_DEEP: "the value is nested too deeply",
    Reject.NOT_AN_OBJECT: "the value is JSON but not an object",
    Reject.MISSING_RECORD_ID: "record_id is missing or empty",
    Reject.MISSING_ASSET_ID: "asset_id is missing or empty",
    Reject.ASSET_MISMATCH: "asset_id differs from the key's own",
    Reject.MISSING_VALUES: "values is missing or not an object",
    Reject.TOO_MANY_TAGS: f"values holds more than {MAX_TAGS} tags",
    Reject.BAD_TIME: "occurred_at is not a time of the calendar in RFC 3339",
    Reject.TIME_WITHOUT_ZONE: "occurred_at has no zone; none is guessed",
    Reject.FIELD_TOO_LONG: f"a field is longer than {MAX_FIELD_CHARACTERS} characters",
    Reject.BAD_FIELD: "a field is not text or holds a NUL character",
    Reject.INTEGER_OUT_OF_RANGE: "an integer that a double cannot hold",
    Reject.NON_FINITE: "NaN, infinity or a number beyond a double",
    Reject.TEXT_TOO_LONG: f"a text value longer than {MAX_TEXT_BYTES} bytes",
    Reject.NUL_CHARACTER: "a text value or tag name with a NUL character",
    Reject.NESTED_VALUE: "an object or a list where a value belongs",
    Reject.BAD_TAG_NAME: (
        f"a tag name empty, over {MAX_TAG_CHARACTERS} characters or with a control character"
    ),
    Reject.KEY_CONFLICT: "another text is stored under the same record_id and occurred_at",
    Reject.UNCLASSIFIED: "a fault this program has no name for; please report it",
}


class EnvelopeRejected(Exception):  # noqa: N818  an outcome of parsing, counted by its reason
    """One envelope is not taken; the sweep goes on."""

    def __init__(self, reason: Reject, detail: str = "") -> None:
        super().__init__(f"envelope: {REJECT_WORDS[reason]}")
        self.reason = reason
        self.detail = detail


class Plausibility(StrEnum):
    """What a time of the source is good for."""

    PLAUSIBLE = "plausible"
    FUTURE = "future"
    ABSURD = "absurd"


class Envelope(msgspec.Struct, eq=False, gc=False):
    """One accepted envelope.

    Attributes:
        asset_id: Serial number.
        occurred_us: The source's time, whole microseconds since 1970 UTC, truncated.
        occurred_nanoseconds: The digits that truncation dropped, 0 to 999.
        values: Tag to value, without rejected tags.
        rejected: Tag to reason of what was not taken; NUL and half characters are spelled out.
        received_us: When the gateway's answer was read.
        content_hash: BLAKE2b-128 of the raw text.
        frame: JSON text for live clients, as the source wrote it unless a tag was rejected or
            a field we do not know is no strict JSON.
        text: As read; where it is read back from the database, as far as it is kept there.
    """

    asset_id: str
    record_id: str
    system_id: str | None
    domain: str | None
    protocol: str | None
    occurred_us: int
    occurred_nanoseconds: int
    values: dict[str, Value]
    rejected: dict[str, Reject]
    quality: str | None
    alarm: str | None
    received_us: int
    content_hash: bytes
    frame: str
    text: str


_Field = Annotated[str, msgspec.Meta(max_length=MAX_FIELD_CHARACTERS)]
# What a double cannot hold is refused by the typed parser; the second look finds its name.
_SafeInteger = Annotated[int, msgspec.Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]


class _Wire(msgspec.Struct):
    """The envelope as sent; optional where an absence must get a name of its own."""

    values: dict[str, float | _SafeInteger | str | bool | None]
    record_id: _Field = ""
    asset_id: str = ""
    occurred_at: str = ""
    system_id: _Field | None = None
    domain: _Field | None = None
    protocol: _Field | None = None
    quality: _Field | None = None
    alarm: _Field | None = None


_decode_wire: Callable[[str], _Wire] = msgspec.json.Decoder(_Wire).decode
_good_tag_names: Final = dict[str, None]()
_GOOD_TAG_NAMES_LIMIT: Final = 20_000


def serial_of_key(key: str) -> str:
    """The serial number in a key of the gateway.

    Raises:
        EnvelopeRejected: The key cannot name an asset.
    """
    if not key.startswith(KEY_PREFIX):
        raise EnvelopeRejected(Reject.WRONG_PREFIX)
    if len(key) == len(KEY_PREFIX):
        raise EnvelopeRejected(Reject.EMPTY_SUFFIX)
    if len(key) > MAX_KEY_BYTES or len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise EnvelopeRejected(Reject.KEY_TOO_LONG)
    if "\0" in key:
        raise EnvelopeRejected(Reject.BAD_KEY_CHARACTER)
    return key[len(KEY_PREFIX) :]


def key_of_serial(serial: str) -> str:
    """The key of the gateway that names a serial number."""
    return KEY_PREFIX + serial


def parse(serial: str, text: str, *, received_us: int, content_hash: bytes) -> Envelope:
    """Parse the text of one key.

    Args:
        serial: Serial number taken from the key.
        text: The JSON text under the key.
        received_us: When it was read, microseconds since 1970 UTC.
        content_hash: Hash of the text, kept beside the reading.

    Raises:
        EnvelopeRejected: The envelope as a whole cannot be taken. A bad value costs its tag only.
    """
    rejected: dict[str, Reject] = {}
    strict = True
    try:
        wire = _decode_wire(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        wire, rejected = _second_look(text)
        strict = False
    if wire.asset_id != serial:
        reason = Reject.ASSET_MISMATCH if wire.asset_id else Reject.MISSING_ASSET_ID
        raise EnvelopeRejected(reason, wire.asset_id[:MAX_FIELD_CHARACTERS])
    if not wire.record_id:
        raise EnvelopeRejected(Reject.MISSING_RECORD_ID)
    values = wire.values
    if len(values) + len(rejected) > MAX_TAGS:
        raise EnvelopeRejected(Reject.TOO_MANY_TAGS)
    occurred_us, nanoseconds = parse_time(wire.occurred_at)
    # Without an escape and shorter than the longest text, no string in it can break a rule.
    suspect = "\\" in text or len(text) > MAX_TEXT_BYTES // 4
    if suspect:
        _check_fields(wire)
    if suspect or not values.keys() <= _good_tag_names.keys():
        bad = _bad_tags(values)
        rejected = rejected | {spelled(tag): reason for tag, reason in bad.items()}
        values = {tag: value for tag, value in values.items() if tag not in bad}
    return Envelope(
        serial, wire.record_id, wire.system_id, wire.domain, wire.protocol, occurred_us,
        nanoseconds, values, rejected, wire.quality, wire.alarm, received_us, content_hash,
        text if strict and not rejected else _clean_frame(wire, values), text,
    )  # fmt: skip


def parse_time(text: str) -> tuple[int, int]:
    """Microseconds since 1970 UTC, truncated, and the nanoseconds that truncation dropped.

    Raises:
        EnvelopeRejected: `bad_time` or `time_without_zone`.
    """
    second = _seconds.get(text[:19])
    if second is not None and len(text) == 30 and text[19] == "." and text[29] == "Z":
        digits = text[20:29]
        if digits.isdecimal() and digits.isascii():
            fraction = int(digits)
            return second + fraction // 1000, fraction % 1000
    return _parse_any_time(text)


def _parse_any_time(text: str) -> tuple[int, int]:
    match = _RFC3339.fullmatch(text)
    if match is None:
        zoneless = _ZONELESS.fullmatch(text)
        raise EnvelopeRejected(Reject.TIME_WITHOUT_ZONE if zoneless else Reject.BAD_TIME, text[:64])
    day, clock, digits, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
        # Some offsets lead out of the calendar; such a time cannot be shown or stored.
        since = moment.astimezone(UTC) - _EPOCH
    except (ValueError, OverflowError):
        raise EnvelopeRejected(Reject.BAD_TIME, text[:64]) from None
    second = (since.days * 86_400 + since.seconds) * 1_000_000
    if zone == "Z":
        if len(_seconds) >= _SECONDS_LIMIT:
            _seconds.clear()
        _seconds[text[:19]] = second
    fraction = int((digits or "0").ljust(9, "0"))
    return second + fraction // 1000, fraction % 1000


def plausibility(occurred_us: int, *, now_us: int) -> Plausibility:
    """Whether a time of the source may lead: not beyond now + 5 min, not before the year 2000."""
    if occurred_us > now_us + FUTURE_LIMIT_US:
        return Plausibility.FUTURE
    return Plausibility.ABSURD if occurred_us < YEAR_2000_US else Plausibility.PLAUSIBLE


def time_text(us: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC with six digits."""
    seconds, fraction = divmod(us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:06d}Z".rjust(27, "0")


def _check_fields(wire: _Wire) -> None:
    for field in (
        wire.record_id,
        wire.system_id,
        wire.domain,
        wire.protocol,
        wire.quality,
        wire.alarm,
    ):
        if field is None:
            continue
        if "\0" in field:
            raise EnvelopeRejected(Reject.BAD_FIELD)


def _bad_tags(values: Mapping[str, Value]) -> dict[str, Reject]:
    bad: dict[str, Reject] = {}
    for tag, value in values.items():
        if tag not in _good_tag_names:
            reason = _judge_name(tag)
            if reason is not None:
                bad[tag] = reason
                continue
        if type(value) is str:
            if "\0" in value:
                bad[tag] = Reject.NUL_CHARACTER
            elif len(value.encode()) > MAX_TEXT_BYTES:
                bad[tag] = Reject.TEXT_TOO_LONG
    return bad


def _judge_name(tag: str) -> Reject | None:
    if "\0" in tag:
        return Reject.NUL_CHARACTER
    if not tag or len(tag) > MAX_TAG_CHARACTERS or _CONTROL_CHARACTER.search(tag):
        return Reject.BAD_TAG_NAME
    if len(_good_tag_names) >= _GOOD_TAG_NAMES_LIMIT:
        _good_tag_names.clear()
    _good_tag_names[tag] = None
    return None


class _Bad:
    """Stands for a number the standard parser was kept from reading."""

    def __init__(self, reason: Reject) -> None:
        self.reason = reason


def _read_float(text: str) -> float | _Bad:
    number = float(text)
    return number if math.isfinite(number) else _Bad(Reject.NON_FINITE)


def _read_int(text: str) -> int | _Bad:
    if len(text) > 400:
        return _Bad(Reject.NON_FINITE)
    number = int(text)
    in_range = -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER
    return number if in_range else _Bad(Reject.INTEGER_OUT_OF_RANGE)


def _second_look(text: str) -> tuple[_Wire, dict[str, Reject]]:
    """Find out why the typed parser refused: single values, or the whole envelope."""
    if len(text) > MAX_SECOND_LOOK_BYTES:
        raise EnvelopeRejected(Reject.BAD_JSON, "too long for a second look")
    try:
        document = json.loads(
            text,
            parse_constant=lambda _: _Bad(Reject.NON_FINITE),
            parse_float=_read_float,
            parse_int=_read_int,
        )
    except RecursionError:
        raise EnvelopeRejected(Reject.TOO_DEEP) from None
    except ValueError:
        raise EnvelopeRejected(Reject.BAD_JSON) from None
    if not isinstance(document, dict):
        raise EnvelopeRejected(Reject.NOT_AN_OBJECT)
    return _wire_of(document)


def _wire_of(document: dict[str, Any]) -> tuple[_Wire, dict[str, Reject]]:
    values = document.pop("values", None)
    if not isinstance(values, dict):
        raise EnvelopeRejected(Reject.MISSING_VALUES)
    fields = {}
    for name in _Wire.__struct_fields__[1:]:
        field = document.get(name)
        if field is None:
            continue
        if not isinstance(field, str):
            raise EnvelopeRejected(_FIELD_FAULTS.get(name, Reject.BAD_FIELD), name)
        if not _is_text(field):
            raise EnvelopeRejected(Reject.BAD_UNICODE, name)
        if len(field) > MAX_FIELD_CHARACTERS and name not in {"asset_id", "occurred_at"}:
            raise EnvelopeRejected(Reject.FIELD_TOO_LONG, name)
        fields[name] = field
    kept, rejected = {}, {}
    for tag, value in values.items():
        reason = _judge_value(value) if _is_text(tag) else Reject.BAD_UNICODE
        if reason is None:
            kept[tag] = value
        else:
            rejected[spelled(tag)] = reason
    return _Wire(values=kept, **fields), rejected


_FIELD_FAULTS: Final = {
    "record_id": Reject.MISSING_RECORD_ID,
    "asset_id": Reject.MISSING_ASSET_ID,
    "occurred_at": Reject.BAD_TIME,
}


def _judge_value(value: object) -> Reject | None:
    if isinstance(value, _Bad):
        return value.reason
    if isinstance(value, dict | list):
        return Reject.NESTED_VALUE
    if isinstance(value, str) and not _is_text(value):
        return Reject.BAD_UNICODE
    return None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def spelled(name: str) -> str:
    """A name that was not taken, as PostgreSQL can store it."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\u0000")


def _clean_frame(wire: _Wire, values: Mapping[str, Value]) -> str:
    return msgspec.json.encode(
        {
            "record_id": wire.record_id,
            "system_id": wire.system_id,
            "asset_id": wire.asset_id,
            "domain": wire.domain,
            "protocol": wire.protocol,
            "occurred_at": wire.occurred_at,
            "values": values,
            "quality": wire.quality,
            "alarm": wire.alarm,
        }
    ).decode()
