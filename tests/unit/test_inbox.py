import time

from builders import NOW_US, SECOND_US, VALVE, envelope

from ic3.domain.envelope import Value
from ic3.domain.inbox import Inbox, Key, Kind, Line, State, TagSample, Taken
from ic3.domain.mapping import Parameter, Register, RegisteredAsset, map_envelopes

MINUTE_US = 60 * SECOND_US
FLOW = Parameter(7, "Flow", "FLOW", "m3/h")
STRANGER = Key(Kind.ASSET, "Stranger_SV_1", "")
NOTE = Key(Kind.TAG, VALVE, "NOTE")


def register(*tags: str, version: int = 1) -> Register:
    asset = RegisteredAsset(12, VALVE, dict.fromkeys(tags, FLOW))
    return Register(version, {VALVE: asset}, {7: FLOW})


def meet(inbox: Inbox, values: dict[str, Value], at_us: int = NOW_US) -> Taken:
    """Take one envelope of the registered valve, as if it were written."""
    found = [envelope(VALVE, values, occurred_us=at_us, received_us=at_us)]
    taken = inbox.take(found, register("FLOW"), now_us=at_us)
    inbox.apply(taken)
    return taken


def test_unknown_assets_and_unmapped_tags_get_a_line_each() -> None:
    found = [
        envelope(VALVE, {"FLOW": 1.5, "NOTE": "open"}),
        envelope(STRANGER.serial, {"A": 1, "B": True}),
    ]
    taken = Inbox().take(found, register("FLOW"), now_us=NOW_US)
    assert taken.lines == [
        Line(NOTE, "DEL-D08", "text", NOW_US, NOW_US, 1, ("open",)),
        Line(STRANGER, "DEL-D08", None, NOW_US, NOW_US, 1,
             (TagSample("A", 1), TagSample("B", True))),
    ]  # fmt: skip


def test_the_lists_count_what_the_mapping_skips() -> None:
    tags: dict[str, Value] = {"FLOW": 1, "X": None, "Y": 2}
    found = [
        envelope(VALVE, tags),
        envelope("new 1", tags),
        envelope("new 2", {}),
        envelope(VALVE + " from 2099", tags, occurred_us=NOW_US + 10 * MINUTE_US),
    ]
    known = register("FLOW")
    known = Register(1, {**known.assets, found[3].asset_id: known.assets[VALVE]}, known.parameters)
    mapped = map_envelopes(known, found, now_us=NOW_US)
    kinds = [each.key.kind for each in Inbox().take(found, known, now_us=NOW_US).lines]
    assert kinds.count(Kind.TAG) == mapped.tags_skipped == 2
    assert kinds.count(Kind.ASSET) == len(found) - known.count_matched(e.asset_id for e in found)


def test_a_new_line_is_written_at_once_and_a_repeated_one_once_a_minute() -> None:
    inbox = Inbox()
    written = [
        meet(inbox, {"NOTE": number}, NOW_US + number * 15 * SECOND_US).lines
        for number in range(10)
    ]
    assert [len(lines) for lines in written] == [1, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert [line.times_seen for lines in written for line in lines] == [1, 4, 4]


def test_what_was_not_seen_again_is_written_after_a_minute_with_the_time_it_was_seen() -> None:
    inbox = Inbox()
    meet(inbox, {"NOTE": 1})
    meet(inbox, {"NOTE": 2}, NOW_US + SECOND_US)
    (line,) = meet(inbox, {}, NOW_US + MINUTE_US).lines
    assert (line.key, line.times_seen) == (NOTE, 1)
    assert line.last_seen_us == NOW_US + SECOND_US
    assert meet(inbox, {}, NOW_US + 3 * MINUTE_US).lines == []


def test_a_try_that_failed_counts_nothing() -> None:
    inbox = Inbox()
    found = [envelope(VALVE, {"NOTE": 1})]
    failed = inbox.take(found, register(), now_us=NOW_US)
    again = inbox.take(found, register(), now_us=NOW_US)
    assert again.lines == failed.lines
    assert again.lines[0].times_seen == 1


def test_samples_are_five_different_values_newest_first() -> None:
    inbox = Inbox()
    values: list[Value] = [1, 2, 2, True, "x" * 500, 3, 4]
    for number, value in enumerate(values):
        meet(inbox, {"NOTE": value}, NOW_US + number * SECOND_US)
    (line,) = meet(inbox, {"NOTE": 5}, NOW_US + 2 * MINUTE_US).lines
    assert line.samples == (5, 4, 3, "x" * 200, True)
    assert line.value_type == "number"


def test_null_tells_nothing_about_the_type() -> None:
    inbox = Inbox()
    assert meet(inbox, {"NOTE": None}).lines[0].value_type is None
    meet(inbox, {"NOTE": False}, NOW_US + 1)
    (line,) = meet(inbox, {"NOTE": None}, NOW_US + MINUTE_US).lines
    assert line.value_type == "boolean"


def test_f29_lines_beyond_the_bound_are_counted_and_left_out() -> None:
    inbox = Inbox(limit=3)
    found = [envelope(f"new {number}", {}) for number in range(5)]
    taken = inbox.take(found, Register(), now_us=NOW_US)
    inbox.apply(taken)
    assert (len(taken.lines), taken.left_out, len(inbox)) == (3, 2, 3)
    assert inbox.take(found, Register(), now_us=NOW_US).left_out == 2


def test_a_changed_register_settles_lines_however_it_was_changed() -> None:
    inbox = Inbox()
    meet(inbox, {"NOTE": 1})
    imported = inbox.take([], register("NOTE", version=2), now_us=NOW_US)
    assert imported.mapped == [NOTE]
    inbox.apply(imported)
    assert inbox.take([], register("NOTE", version=2), now_us=NOW_US).mapped == []
    assert inbox.take([], register(version=3), now_us=NOW_US).reopened == [NOTE]


def test_a_new_process_knows_the_lines_of_the_old_one() -> None:
    inbox = Inbox()
    line = Line(NOTE, "DEL-D08", "number", NOW_US, NOW_US, 40, (1,))
    inbox.restore([(line, State.IGNORED)])
    assert meet(inbox, {"NOTE": 2}, NOW_US + SECOND_US).lines == []
    (written,) = meet(inbox, {"NOTE": 3}, NOW_US + MINUTE_US).lines
    assert (written.times_seen, written.samples) == (2, (3, 2, 1))


def test_a_sweep_of_557_assets_costs_little() -> None:
    values: dict[str, Value] = {"A": 1.0, "B": 2.0, "C": 3.0, "D": 4.0, "E": 5.0}
    serials = [f"asset {number}" for number in range(541)]
    known = Register(
        1, {each: RegisteredAsset(1, each, dict.fromkeys(values, FLOW)) for each in serials}, {}
    )
    found = [envelope(each, dict(values)) for each in [*serials, *map(str, range(16))]]
    for each in found[:89]:
        each.values["X"] = 1
    inbox = Inbox()
    inbox.apply(inbox.take(found, known, now_us=NOW_US))
    took_s = []
    for _ in range(20):
        begun = time.perf_counter()
        inbox.apply(inbox.take(found, known, now_us=NOW_US))
        took_s.append(time.perf_counter() - begun)
    assert min(took_s) < 0.02
