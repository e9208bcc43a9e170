"""The plant's text becomes time and numbers, or is refused by name."""

import json
import math

import msgspec
import pytest
from builders import NOW_US, VALVE, read, sent
from hypothesis import given, settings
from hypothesis import strategies as st

import ic3.domain.envelope as module
from ic3.domain.envelope import (
    KEY_PREFIX,
    MAX_FIELD_CHARACTERS,
    MAX_SAFE_INTEGER,
    MAX_TAG_CHARACTERS,
    MAX_TAGS,
    MAX_TEXT_BYTES,
    REJECT_WORDS,
    Envelope,
    EnvelopeRejected,
    Plausibility,
    Reject,
    Value,
    parse,
    plausibility,
    serial_of_key,
    time_text,
)

EXAMPLE = """{"record_id":"40470dce-f366-4933-b220-36b00ab8824d",
 "system_id":"Patel_Road_Baljeet_Nagar_SV_92",
 "asset_id":"Patel Road_Baljeet Nagar_SV_92",
 "domain":"DEL-D08","protocol":"rest",
 "occurred_at":"2026-06-15T01:41:43.267609313Z",
 "values":{"HEALTH_SCORE":94.8,"LAST_INSP_DT":53.64,"MAINT_FLAG":0,"VLV_MAN_STS":52.08,"WO_STS":54.67},
 "quality":"GOOD","alarm":"NORMAL"}"""
NUL = "\\u0000"
HALF = "\\ud800"
DEEP = "[" * 5000 + "]" * 5000
MANY = "{" + ",".join(f'"T{number}":1' for number in range(600)) + "}"

# One input at least for every reason an envelope as a whole is refused for.
REFUSED = [
    (Reject.BAD_JSON, ""),
    (Reject.BAD_JSON, "{"),
    (Reject.BAD_JSON, "not JSON"),
    (Reject.BAD_JSON, "\ufeff" + sent()),
    (Reject.BAD_JSON, sent() + "x"),
    (Reject.BAD_JSON, sent(values='{"A":01}')),
    (Reject.BAD_JSON, sent(values='{"A":"\0"}')),
    (Reject.BAD_JSON, sent(values='{"A\0":1}')),
    (Reject.BAD_JSON, sent(record_id='"a\0b"')),
    (Reject.BAD_JSON, sent(note='"\0"')),
    (Reject.BAD_JSON, sent(values='{"A":NaN,"B":"' + "x" * 65_536 + '"}')),
    (Reject.BAD_UNICODE, sent(record_id=f'"{HALF}"')),
    (Reject.BAD_UNICODE, sent(asset_id=f'"{HALF}"')),
    (Reject.BAD_UNICODE, sent(occurred_at=f'"{HALF}"')),
    (Reject.BAD_UNICODE, sent(quality=f'"{HALF}"')),
    (Reject.BAD_UNICODE, sent(domain='"\ud800"')),
    (Reject.TOO_DEEP, DEEP),
    (Reject.TOO_DEEP, "[" * 5000),
    (Reject.TOO_DEEP, sent(values=f'{{"A":{DEEP}}}')),
    (Reject.TOO_DEEP, sent(note=DEEP)),
    (Reject.NOT_AN_OBJECT, "[]"),
    (Reject.NOT_AN_OBJECT, "null"),
    (Reject.NOT_AN_OBJECT, "1"),
    (Reject.NOT_AN_OBJECT, "NaN"),
    (Reject.NOT_AN_OBJECT, '"text"'),
    (Reject.MISSING_RECORD_ID, sent(record_id=None)),
    (Reject.MISSING_RECORD_ID, sent(record_id="null")),
    (Reject.MISSING_RECORD_ID, sent(record_id='""')),
    (Reject.MISSING_RECORD_ID, sent(record_id="7")),
    (Reject.MISSING_ASSET_ID, sent(asset_id=None)),
    (Reject.MISSING_ASSET_ID, sent(asset_id="null")),
    (Reject.MISSING_ASSET_ID, sent(asset_id='""')),
    (Reject.MISSING_ASSET_ID, sent(asset_id="73841")),
    (Reject.ASSET_MISMATCH, sent(asset_id='"T"')),
    (Reject.ASSET_MISMATCH, sent(asset_id='"s"')),
    (Reject.ASSET_MISMATCH, sent(asset_id='"S "')),
    (Reject.ASSET_MISMATCH, sent(asset_id=f'"S{NUL}"')),
    (Reject.ASSET_MISMATCH, sent(asset_id='"' + "S" * 5000 + '"')),
    (Reject.MISSING_VALUES, "{}"),
    (Reject.MISSING_VALUES, sent(values=None)),
    (Reject.MISSING_VALUES, sent(values="null")),
    (Reject.MISSING_VALUES, sent(values="[]")),
    (Reject.MISSING_VALUES, sent(values='"x"')),
    (Reject.MISSING_VALUES, sent(values="NaN")),
    (Reject.TOO_MANY_TAGS, sent(values=MANY)),
    (Reject.TOO_MANY_TAGS, sent(values=MANY.replace(":1", ":NaN"))),
    (Reject.BAD_TIME, sent(occurred_at=None)),
    (Reject.BAD_TIME, sent(occurred_at="null")),
    (Reject.BAD_TIME, sent(occurred_at='""')),
    (Reject.BAD_TIME, sent(occurred_at="1781487703")),
    (Reject.BAD_TIME, sent(occurred_at=f'"2026-06-15T01:41:43Z{NUL}"')),
    (Reject.TIME_WITHOUT_ZONE, sent(occurred_at='"2026-06-15T01:41:43"')),
    (Reject.FIELD_TOO_LONG, sent(record_id='"' + "x" * 257 + '"')),
    (Reject.FIELD_TOO_LONG, sent(alarm='"' + "x" * 257 + '"')),
    (Reject.BAD_FIELD, sent(quality="1")),
    (Reject.BAD_FIELD, sent(domain="NaN")),
    (Reject.BAD_FIELD, sent(alarm="[]")),
    (Reject.BAD_FIELD, sent(protocol="true")),
    (Reject.BAD_FIELD, sent(system_id="{}")),
    (Reject.BAD_FIELD, sent(record_id=f'"a{NUL}"')),
    (Reject.BAD_FIELD, sent(system_id=f'"{NUL}"')),
    (Reject.BAD_FIELD, sent(domain=f'"{NUL}"')),
    (Reject.BAD_FIELD, sent(protocol=f'"{NUL}"')),
    (Reject.BAD_FIELD, sent(quality=f'"{NUL}"')),
    (Reject.BAD_FIELD, sent(alarm=f'"{NUL}"')),
    (Reject.BAD_FIELD, sent(alarm=f'"{NUL}"', values='{"A":NaN}')),
]

# The value table: text of the value, what becomes of it.
TAKEN: list[tuple[str, Value]] = [
    ("94.8", 94.8),
    ("0", 0),
    ("-0", 0),
    ("-0.0", -0.0),
    ("1e-20000", 0.0),
    ("1e20", 1e20),
    ("1.7976931348623157e308", 1.7976931348623157e308),
    ("9007199254740991", MAX_SAFE_INTEGER),
    ("-9007199254740991", -MAX_SAFE_INTEGER),
    ("9007199254740993.0", 9007199254740992.0),
    ("1." + "3" * 9000, 1.3333333333333333),
    ("true", True),
    ("false", False),
    ("null", None),
    ('""', ""),
    ('"12.5"', "12.5"),
    ('"NaN"', "NaN"),
    ('"null"', "null"),
    ('" शून्य 💧\\n"', " शून्य 💧\n"),
    ('"' + "x" * 4096 + '"', "x" * 4096),
    ('"' + "é" * 2048 + '"', "é" * 2048),
    ('"' + "\\u00e9" * 2048 + '"', "é" * 2048),
]
REJECTED_VALUES = [
    ("9007199254740992", Reject.INTEGER_OUT_OF_RANGE),
    ("-9007199254740992", Reject.INTEGER_OUT_OF_RANGE),
    (str(2**63), Reject.INTEGER_OUT_OF_RANGE),
    (str(2**64), Reject.INTEGER_OUT_OF_RANGE),
    (str(2**70), Reject.INTEGER_OUT_OF_RANGE),
    (str(-(2**70)), Reject.INTEGER_OUT_OF_RANGE),
    ("NaN", Reject.NON_FINITE),
    ("Infinity", Reject.NON_FINITE),
    ("-Infinity", Reject.NON_FINITE),
    ("1e400", Reject.NON_FINITE),
    ("-1e400", Reject.NON_FINITE),
    ("9" * 400 + ".5", Reject.NON_FINITE),
    ("9" * 5000, Reject.NON_FINITE),
    ('"' + "x" * 4097 + '"', Reject.TEXT_TOO_LONG),
    ('"' + "é" * 2049 + '"', Reject.TEXT_TOO_LONG),
    ('"' + "\\u00e9" * 2049 + '"', Reject.TEXT_TOO_LONG),
    (f'"{NUL}"', Reject.NUL_CHARACTER),
    (f'"12.5{NUL}"', Reject.NUL_CHARACTER),
    (f'"{HALF}"', Reject.BAD_UNICODE),
    ('"\\udc00"', Reject.BAD_UNICODE),
    ('"\ud800"', Reject.BAD_UNICODE),
    ("[]", Reject.NESTED_VALUE),
    ("[1]", Reject.NESTED_VALUE),
    ("{}", Reject.NESTED_VALUE),
    ('{"value":1}', Reject.NESTED_VALUE),
    ("[[NaN]]", Reject.NESTED_VALUE),
]
# The tag's name in the JSON text, the name it is rejected under, the reason.
REJECTED_NAMES = [
    ("", "", Reject.BAD_TAG_NAME),
    ("x" * 201, "x" * 201, Reject.BAD_TAG_NAME),
    ("a\\nb", "a\nb", Reject.BAD_TAG_NAME),
    ("\\u001b[31m", "\x1b[31m", Reject.BAD_TAG_NAME),
    ("\\u007f", "\x7f", Reject.BAD_TAG_NAME),
    ("\\u0085", "\x85", Reject.BAD_TAG_NAME),
    ("\x85", "\x85", Reject.BAD_TAG_NAME),
    (f"a{NUL}b", "a\\u0000b", Reject.NUL_CHARACTER),
    (f"a{HALF}", "a\\ud800", Reject.BAD_UNICODE),
    ("a\ud800", "a\\ud800", Reject.BAD_UNICODE),
]
GOOD_NAMES = [
    "A", "x" * 200, "दाब", "क्\u200dष", "a\u00a0b", " ", "__proto__", "a.b/c%20", "💧",
]  # fmt: skip
REFUSED_KEYS = [
    ("", Reject.WRONG_PREFIX),
    ("ic3:history:S", Reject.WRONG_PREFIX),
    ("IC3:LATEST:S", Reject.WRONG_PREFIX),
    (KEY_PREFIX, Reject.EMPTY_SUFFIX),
    (KEY_PREFIX + "x" * 1014, Reject.KEY_TOO_LONG),
    (KEY_PREFIX + "é" * 507, Reject.KEY_TOO_LONG),
    (KEY_PREFIX + "S\0", Reject.BAD_KEY_CHARACTER),
]


def reason_of(text: str) -> Reject:
    with pytest.raises(EnvelopeRejected) as caught:
        read(text)
    return caught.value.reason


def assert_postgres_can_store(envelope: Envelope) -> None:
    """Every string encodes to UTF-8 without NUL; every value is one the contract knows."""
    texts: list[str | None] = [
        envelope.asset_id, envelope.record_id, envelope.system_id, envelope.domain,
        envelope.protocol, envelope.quality, envelope.alarm,
        *envelope.values, *envelope.rejected,
        *(value for value in envelope.values.values() if isinstance(value, str)),
    ]  # fmt: skip
    for text in texts:
        if text is not None:
            assert b"\0" not in text.encode()
    for value in envelope.values.values():
        assert_value_is_within_the_rules(value)
    for tag in envelope.values:
        assert 0 < len(tag) <= MAX_TAG_CHARACTERS
    assert len(envelope.values) <= MAX_TAGS
    assert 0 <= envelope.occurred_nanoseconds <= 999
    time_text(envelope.occurred_us)
    # What `asset_latest` and the browser get.
    assert b"\\u0000" not in msgspec.json.encode(envelope.values).replace(b"\\\\", b"")
    assert b"\\u0000" not in msgspec.json.encode(envelope.rejected).replace(b"\\\\", b"")
    envelope.frame.encode()
    json.loads(envelope.frame, parse_constant=pytest.fail, parse_int=str)


def assert_value_is_within_the_rules(value: Value) -> None:
    assert value is None or type(value) in {float, int, str, bool}
    if type(value) is float:
        assert math.isfinite(value)
    if type(value) is int:
        assert abs(value) <= MAX_SAFE_INTEGER
    if type(value) is str:
        assert len(value.encode()) <= MAX_TEXT_BYTES


def test_example_of_the_contract_is_read_to_the_letter() -> None:
    found = parse(VALVE, EXAMPLE, received_us=NOW_US, content_hash=b"hash")

    assert found.asset_id == VALVE
    assert found.record_id == "40470dce-f366-4933-b220-36b00ab8824d"
    assert found.system_id == "Patel_Road_Baljeet_Nagar_SV_92"
    assert (found.domain, found.protocol) == ("DEL-D08", "rest")
    assert (found.quality, found.alarm) == ("GOOD", "NORMAL")
    assert time_text(found.occurred_us) == "2026-06-15T01:41:43.267609Z"
    assert found.occurred_nanoseconds == 313
    assert found.values == {
        "HEALTH_SCORE": 94.8,
        "LAST_INSP_DT": 53.64,
        "MAINT_FLAG": 0,
        "VLV_MAN_STS": 52.08,
        "WO_STS": 54.67,
    }
    assert found.rejected == {}
    assert found.frame == EXAMPLE
    assert (found.received_us, found.content_hash) == (NOW_US, b"hash")


@pytest.mark.parametrize(("reason", "text"), REFUSED)
def test_f5_f9_bad_envelope_is_refused_by_name(reason: Reject, text: str) -> None:
    assert reason_of(text) is reason


@pytest.mark.parametrize(("key", "reason"), REFUSED_KEYS)
def test_bad_key_is_refused_by_name(key: str, reason: Reject) -> None:
    with pytest.raises(EnvelopeRejected) as caught:
        serial_of_key(key)

    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "serial", [VALVE, "a/b%2F", "é" * 506, "x" * 1013, "A+B & C#?", "*", "../..", "ic3:latest:"]
)
def test_serial_number_is_the_suffix_of_the_key(serial: str) -> None:
    assert serial_of_key(KEY_PREFIX + serial) == serial


def test_every_reason_is_provoked_and_has_words() -> None:
    provoked = {reason_of(text) for _, text in REFUSED}
    provoked |= {reason for _, reason in REFUSED_KEYS}
    for text, _ in REJECTED_VALUES:
        provoked |= set(read(sent(values=f'{{"A":{text}}}')).rejected.values())
    for name, _, _ in REJECTED_NAMES:
        provoked |= set(read(sent(values=f'{{"{name}":1}}')).rejected.values())

    # The sweep finds the conflict; the text alone does not show it.
    assert provoked == set(Reject) - {Reject.UNCLASSIFIED, Reject.KEY_CONFLICT}
    assert set(REJECT_WORDS) == set(Reject)
    assert all(len(words.split()) >= 4 for words in REJECT_WORDS.values())
    assert len(set(REJECT_WORDS.values())) == len(REJECT_WORDS)


def test_refusal_says_its_reason_in_words() -> None:
    with pytest.raises(EnvelopeRejected, match="envelope: occurred_at has no zone") as caught:
        read(sent(occurred_at='"2026-06-15T01:41:43"'))

    assert caught.value.detail == "2026-06-15T01:41:43"


@pytest.mark.parametrize(("text", "value"), TAKEN)
def test_value_is_taken_as_it_is(text: str, value: Value) -> None:
    found = read(sent(values=f'{{"A":{text},"B":1}}'))

    assert repr(found.values) == repr({"A": value, "B": 1})
    assert found.rejected == {}


@pytest.mark.parametrize(("text", "value"), TAKEN)
def test_second_look_reads_values_as_the_first_does(text: str, value: Value) -> None:
    found = read(sent(values=f'{{"A":{text},"B":NaN}}'))

    assert repr(found.values) == repr({"A": value})
    assert found.rejected == {"B": Reject.NON_FINITE}


@pytest.mark.parametrize(("text", "reason"), REJECTED_VALUES)
def test_f6_f7_f9_bad_value_costs_its_tag_and_keeps_the_neighbours(
    text: str, reason: Reject
) -> None:
    found = read(sent(values=f'{{"A":1.5,"BAD":{text},"Z":"open"}}'))

    assert found.values == {"A": 1.5, "Z": "open"}
    assert found.rejected == {"BAD": reason}


@pytest.mark.parametrize(("name", "spelled", "reason"), REJECTED_NAMES)
def test_f6_f9_bad_tag_name_costs_its_tag_and_keeps_the_neighbours(
    name: str, spelled: str, reason: Reject
) -> None:
    found = read(sent(values=f'{{"A":1.5,"{name}":2,"Z":"open"}}'))

    assert found.values == {"A": 1.5, "Z": "open"}
    assert found.rejected == {spelled: reason}
    assert_postgres_can_store(found)


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_tag_name_of_any_script_is_taken(name: str) -> None:
    assert read(sent(values=json.dumps({name: 1}))).values == {name: 1}


def test_several_bad_values_are_rejected_each_by_its_own_reason() -> None:
    text = f'{{"A":NaN,"B":[],"C":{2**70},"D":"{NUL}","E":"{HALF}","F":1,"":2}}'
    found = read(sent(values=text))

    assert found.values == {"F": 1}
    assert found.rejected == {
        "A": Reject.NON_FINITE,
        "B": Reject.NESTED_VALUE,
        "C": Reject.INTEGER_OUT_OF_RANGE,
        "D": Reject.NUL_CHARACTER,
        "E": Reject.BAD_UNICODE,
        "": Reject.BAD_TAG_NAME,
    }


def test_rejected_name_never_takes_a_good_tag_that_reads_like_it() -> None:
    found = read(sent(values=f'{{"\\\\ud800":1,"{HALF}":2,"\\\\u0000":3,"{NUL}":4}}'))

    assert found.values == {"\\ud800": 1, "\\u0000": 3}
    assert found.rejected == {
        "\\ud800": Reject.BAD_UNICODE,
        "\\u0000": Reject.NUL_CHARACTER,
    }


def test_nul_in_the_name_of_a_rejected_value_is_spelled_out() -> None:
    found = read(sent(values=f'{{"a{NUL}b":[],"B":1}}'))

    assert found.rejected == {"a\\u0000b": Reject.NESTED_VALUE}
    assert_postgres_can_store(found)


def test_envelope_whose_every_tag_is_rejected_is_an_empty_envelope() -> None:
    found = read(sent(values='{"A":NaN}'))

    assert (found.values, found.rejected) == ({}, {"A": Reject.NON_FINITE})


def test_envelope_without_a_tag_is_taken() -> None:
    assert read(sent(values="{}")).values == {}


def test_f7_500_tags_are_taken_and_501_are_not() -> None:
    tags = [f'"T{number}":1' for number in range(501)]

    assert len(read(sent(values="{" + ",".join(tags[:500]) + "}")).values) == 500
    assert reason_of(sent(values="{" + ",".join(tags) + "}")) is Reject.TOO_MANY_TAGS


def test_rejected_tags_count_among_the_500() -> None:
    tags = [f'"T{number}":{"NaN" if number % 2 else 1}' for number in range(501)]

    assert reason_of(sent(values="{" + ",".join(tags) + "}")) is Reject.TOO_MANY_TAGS


def test_f8_last_of_two_equal_keys_wins() -> None:
    assert read(sent(values='{"A":1,"A":2}')).values == {"A": 2}
    assert read(sent(values='{"A":1,"A":2,"C":NaN}')).values == {"A": 2}
    assert read(sent(values='{"A":NaN,"A":2}')).values == {"A": 2}
    assert read(sent(values='{"A":2,"A":NaN}')).rejected == {"A": Reject.NON_FINITE}
    assert read('{"values":{"X":1},"record_id":"old",' + sent()[1:]).values == {"B": 1}
    assert read('{"values":7,"record_id":"old",' + sent()[1:]).record_id == "r-1"


@pytest.mark.parametrize("name", ["system_id", "domain", "protocol", "quality", "alarm"])
def test_absent_and_null_fields_are_null(name: str) -> None:
    assert getattr(read(sent()), name) is None
    assert getattr(read(sent(**{name: "null"})), name) is None
    assert getattr(read(sent(**{name: "null", "values": '{"A":NaN}'})), name) is None


@pytest.mark.parametrize("word", ["good", "Suspect", "", "0", "संदिग्ध"])
def test_unknown_words_of_quality_and_alarm_are_kept_as_sent(word: str) -> None:
    found = read(sent(quality=json.dumps(word), alarm=json.dumps(word)))

    assert (found.quality, found.alarm) == (word, word)


def test_field_of_256_characters_is_taken() -> None:
    text = "é" * MAX_FIELD_CHARACTERS

    assert read(sent(record_id=f'"{text}"')).record_id == text
    assert read(sent(record_id=f'"{text}"', values='{"A":NaN}')).record_id == text


def test_serial_number_may_be_longer_than_other_fields() -> None:
    serial = "x" * 1000

    assert read(sent(asset_id=f'"{serial}"'), serial).asset_id == serial
    assert read(sent(asset_id=f'"{serial}"', values='{"A":NaN}'), serial).asset_id == serial


def test_frame_is_the_raw_text_where_nothing_was_rejected() -> None:
    text = " " + sent(more='{"x":[1,2]}', values='{"B":1.50,"B":2.0}') + "\n"

    assert read(text).frame == text


def test_frame_leaves_rejected_tags_out_and_keeps_the_sources_time() -> None:
    found = read(sent(values='{"A":NaN,"B":1,"C":"x"}', domain='"DEL-D08"', more="1"))

    assert found.frame == (
        '{"record_id":"r-1","system_id":null,"asset_id":"S","domain":"DEL-D08","protocol":null,'
        '"occurred_at":"2026-06-15T01:41:43.267609313Z","values":{"B":1,"C":"x"},'
        '"quality":null,"alarm":null}'
    )


def test_frame_keeps_an_offset_of_the_source() -> None:
    time = "2026-06-15T07:11:43.267609313+05:30"
    found = read(sent(values='{"A":[],"B":1}', occurred_at=f'"{time}"'))

    assert json.loads(found.frame)["occurred_at"] == time


@pytest.mark.parametrize("more", ["NaN", f'"{HALF}"', '"\ud800"', '{"a":[Infinity]}'])
def test_field_we_do_not_know_never_spoils_the_frame(more: str) -> None:
    found = read(sent(more=more))

    assert (found.values, found.rejected) == ({"B": 1}, {})
    assert_postgres_can_store(found)
    assert "more" not in json.loads(found.frame)


def test_f29_memory_of_tag_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GOOD_TAG_NAMES_LIMIT", 3)
    monkeypatch.setattr(module, "_good_tag_names", {})

    assert list(read(sent(values='{"A":1,"B":1,"C":1,"D":1}')).values) == ["A", "B", "C", "D"]
    assert len(module._good_tag_names) <= 3


@pytest.mark.parametrize(
    ("past_us", "judged"),
    [
        (0, Plausibility.PLAUSIBLE),
        (300_000_000, Plausibility.PLAUSIBLE),
        (300_000_001, Plausibility.FUTURE),
        (946_684_800_000_000 - NOW_US, Plausibility.PLAUSIBLE),
        (946_684_799_999_999 - NOW_US, Plausibility.ABSURD),
    ],
)
def test_time_is_judged_against_now_and_the_year_2000(past_us: int, judged: Plausibility) -> None:
    assert plausibility(NOW_US + past_us, now_us=NOW_US) is judged


# Hostile text, as it stands in JSON: escapes, raw characters, half characters, NUL.
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
JSON_STRINGS = st.one_of(
    ANY_TEXT.map(json.dumps),
    ANY_TEXT.map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(['"\\u0000"', '"\\ud800"', '"\ud800"', '"\\udc00\\ud800"', '""']),
)
JSON_NUMBERS = st.one_of(
    st.floats().map(json.dumps),
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["NaN", "-Infinity", "1e400", "-0.0", "1e-20000", "9" * 5000]),
)
JSON_LEAVES = st.one_of(JSON_STRINGS, JSON_NUMBERS, st.sampled_from(["null", "true", "false"]))


def json_object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"


ANY_JSON = st.recursive(
    JSON_LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: "[" + ",".join(items) + "]"),
        st.lists(st.tuples(JSON_STRINGS, inner), max_size=4).map(json_object),
    ),
    max_leaves=8,
)
TIMES = st.sampled_from(
    ['"2026-06-15T01:41:43Z"', '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999999Z"']
)
FIELD_NAMES = ["record_id", "system_id", "domain", "protocol", "quality", "alarm", "occurred_at"]
TAGS_AND_VALUES = st.lists(st.tuples(JSON_STRINGS, ANY_JSON), max_size=6).map(json_object)


@st.composite
def almost_envelopes(draw: st.DrawFn) -> str:
    """A good envelope with hostile values and up to two hostile fields."""
    fields: dict[str, str | None] = {
        "occurred_at": draw(TIMES),
        "values": draw(TAGS_AND_VALUES),
        "more": draw(ANY_JSON),
    }
    for name in draw(st.lists(st.sampled_from(FIELD_NAMES), max_size=2)):
        fields[name] = draw(ANY_JSON)
    return sent(**fields)


@st.composite
def torn_envelopes(draw: st.DrawFn) -> str:
    """The contract's example with a few characters exchanged for others."""
    text = EXAMPLE.replace(VALVE, "S")
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 3))
        text = text[:start] + draw(ANY_TEXT) + text[end:]
    return text


def outcome_of(text: str) -> Envelope | Reject:
    try:
        return read(text)
    except EnvelopeRejected as error:
        return error.reason


@settings(max_examples=500, derandomize=True, deadline=None, database=None)
@given(st.one_of(almost_envelopes(), torn_envelopes(), ANY_JSON, ANY_TEXT))
def test_any_text_is_taken_within_the_rules_or_refused_by_name(text: str) -> None:
    outcome = outcome_of(text)

    assert outcome is not Reject.UNCLASSIFIED
    if isinstance(outcome, Envelope):
        assert_postgres_can_store(outcome)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(TAGS_AND_VALUES)
def test_hostile_values_cost_only_their_tags(values: str) -> None:
    outcome = outcome_of(sent(values=values))

    assert isinstance(outcome, Envelope)
    assert_postgres_can_store(outcome)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        ),
        max_size=8,
    )
)
def test_good_values_come_through_unchanged(values: dict[str, Value]) -> None:
    plain = read(sent(values=json.dumps(values)))
    beside_a_bad_one = read(sent(values=json.dumps({**values, "": 0})))

    assert repr(plain.values) == repr(values)
    assert plain.rejected == {}
    assert repr(beside_a_bad_one.values) == repr(values)
