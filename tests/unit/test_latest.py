"""The newest reading of every tag moves forward in the source's time, and only when told."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path

import msgspec
from builders import HEALTH, NOW_US, PANEL, STATUS, VALVE, envelope, reading, registered
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.envelope import Envelope, Value
from ic3.domain.latest import LatestReadings, Live, Movement
from ic3.domain.mapping import Moved, Parameter, Reading, Register

GOLDEN = Path(__file__).parent / "golden" / "live.json"
EXAMPLE_US = 1_781_487_703_267_609


def latest_of(*readings: Reading) -> LatestReadings:
    latest = LatestReadings()
    latest.register = Register(1, {PANEL: registered(PANEL, 12)}, {1: HEALTH, 2: STATUS})
    if readings:
        latest.replace({12: {each.tag_code: each for each in readings}})
    return latest


def movement_of(latest: LatestReadings, *envelopes: Envelope) -> Movement:
    """What these envelopes move, all mapped and nothing applied."""
    movement = Movement(latest, envelopes, now_us=NOW_US)
    deque(movement.batches(), maxlen=0)
    return movement


def sent(score: Value, *, after_us: int = 0, **more: Value) -> Envelope:
    """An envelope of the panel."""
    return envelope(PANEL, {"HEALTH_SCORE": score, **more}, occurred_us=NOW_US + after_us)


def one_by_one(latest: LatestReadings, readings: Iterable[Reading]) -> Moved:
    """What readings move that are taken one after the other."""
    moved: Moved = {}
    for each in readings:
        tags = latest.past(moved).tags(each.register_id)
        before = tags.get(each.tag_code)
        if before is None or before.recorded_us < each.recorded_us:
            moved[each.register_id] = {**tags, each.tag_code: each}
    return moved


def numbers(latest: LatestReadings) -> list[float | None]:
    return [row.value_num for row in latest.live(PANEL).monitoring]


def test_live_answers_the_contracts_example_to_the_byte() -> None:
    latest = latest_of(reading(at_us=EXAMPLE_US))

    assert msgspec.json.encode(latest.live(PANEL)) == GOLDEN.read_bytes()


def test_unknown_serial_number_has_no_readings() -> None:
    latest = latest_of(reading())

    assert latest.live("unknown") == Live("unknown", 0, [])
    assert msgspec.json.encode(latest.live("unknown")) == (
        b'{"serial_number":"unknown","count":0,"monitoring":[]}'
    )
    assert latest.state_of("unknown") is None


def test_registered_asset_without_data_has_no_readings() -> None:
    assert latest_of().live(PANEL) == Live(PANEL, 0, [])


def test_nothing_moves_until_it_is_applied() -> None:
    latest = latest_of(reading(number=1.0))
    before = latest.state_of(PANEL)

    movement = movement_of(latest, sent(2.0, after_us=1))

    assert numbers(latest) == [1.0]
    assert latest.state_of(PANEL) is before
    latest.apply(movement.moved)
    assert numbers(latest) == [2.0]
    assert latest.state_of(PANEL) is not before


def test_late_reading_never_moves_latest() -> None:
    latest = latest_of(reading(number=1.0))

    assert movement_of(latest, sent(2.0, after_us=-1)).moved == {}


def test_same_instant_never_moves_latest() -> None:
    latest = latest_of(reading(number=1.0))

    assert movement_of(latest, sent(2.0)).moved == {}


def test_newest_of_several_readings_wins_in_any_order() -> None:
    old, new = sent(1.0), sent(2.0, after_us=1)

    for envelopes in ((old, new), (new, old)):
        moved = movement_of(latest_of(), *envelopes).moved
        assert moved[12]["HEALTH_SCORE"].value_num == 2.0


def test_first_of_two_readings_of_one_instant_stands() -> None:
    moved = movement_of(latest_of(), sent(1.0), sent(2.0)).moved

    assert moved[12]["HEALTH_SCORE"].value_num == 1.0


def test_null_that_is_newer_takes_the_place_of_a_value() -> None:
    moved = movement_of(latest_of(reading(number=1.0)), sent(None, after_us=1)).moved

    assert moved[12]["HEALTH_SCORE"].value_num is None


def test_tag_that_is_not_sent_stays_beside_one_that_moves() -> None:
    latest = latest_of(reading(number=1.0), reading("STATUS", None, text="open", param_id=2))

    moved = movement_of(latest, envelope(PANEL, {"STATUS": 3.0}, occurred_us=NOW_US + 1)).moved

    assert moved[12]["HEALTH_SCORE"].value_num == 1.0
    assert moved[12]["STATUS"].value_num == 3.0


def test_late_tag_does_not_hold_back_its_neighbour() -> None:
    latest = latest_of(reading(number=1.0, at_us=NOW_US + 2), reading("STATUS", 1.0, param_id=2))

    moved = movement_of(latest, sent(2.0, after_us=1, STATUS=3.0)).moved

    assert moved[12]["HEALTH_SCORE"].value_num == 1.0
    assert moved[12]["STATUS"].value_num == 3.0


def test_changed_asset_leaves_the_others_alone() -> None:
    latest = latest_of(reading(number=1.0))
    assets = {**latest.register.assets, VALVE: registered(VALVE, 99)}
    latest.register = Register(2, assets, latest.register.parameters)

    moved = movement_of(latest, envelope(VALVE, {"STATUS": 2.0})).moved

    assert set(moved) == {99}


def test_readings_are_ordered_by_tag_code() -> None:
    tags = ["b", "A", "Z", "a", "10", "9", "é"]
    latest = latest_of(*(reading(tag) for tag in tags))

    answer = latest.live(PANEL)

    assert [row.tag_code for row in answer.monitoring] == ["10", "9", "A", "Z", "a", "b", "é"]
    assert answer.count == 7


def test_text_null_and_a_missing_unit_are_always_present() -> None:
    latest = latest_of(reading("STATUS", None, text="", param_id=2))

    (row,) = latest.live(PANEL).monitoring

    assert (row.unit, row.value_num, row.value_text) == (None, None, "")
    assert b'"unit":null,"value_num":null,"value_text":""' in msgspec.json.encode(row)


def test_parameter_is_named_as_the_register_names_it_now() -> None:
    latest = latest_of(reading())
    renamed = Parameter(1, "Condition", "CONDITION", None)
    latest.register = Register(2, {PANEL: registered(PANEL, 12)}, {1: renamed})

    (row,) = latest.live(PANEL).monitoring

    assert (row.parameter_name, row.param_tag_code, row.unit) == ("Condition", "CONDITION", None)
    assert row.tag_code == "HEALTH_SCORE"


def test_reading_of_an_unknown_parameter_is_not_shown_and_not_counted() -> None:
    latest = latest_of(reading("OTHER", param_id=77), reading())

    answer = latest.live(PANEL)

    assert [row.tag_code for row in answer.monitoring] == ["HEALTH_SCORE"]
    assert answer.count == 1


def test_replaced_state_is_what_the_table_holds() -> None:
    latest = latest_of(reading(number=1.0, at_us=NOW_US + 5))

    latest.replace({12: {"HEALTH_SCORE": reading(number=7.0)}})

    assert numbers(latest) == [7.0]


Values = st.dictionaries(
    st.sampled_from(["HEALTH_SCORE", "STATUS", "OTHER"]), st.sampled_from([None, 1.0, 2.0, "open"])
)
Sent = st.lists(st.tuples(st.sampled_from([PANEL, VALVE]), st.integers(-3, 3), Values), max_size=12)


@given(st.lists(Sent, max_size=4))
def test_f23_sweep_in_any_order_moves_what_its_readings_move_one_by_one(
    sweeps: list[list[tuple[str, int, dict[str, Value]]]],
) -> None:
    latest = latest_of()
    latest.register = Register(
        1, {PANEL: registered(PANEL, 12), VALVE: registered(VALVE, 13)}, {1: HEALTH, 2: STATUS}
    )
    for given_sweep in sweeps:
        envelopes = [
            envelope(serial, values, occurred_us=NOW_US + after_us)
            for serial, after_us, values in given_sweep
        ]
        movement = Movement(latest, envelopes, now_us=NOW_US)
        readings = [each for batch in movement.batches() for each in batch]

        assert movement.moved == one_by_one(latest, readings)
        latest.apply(movement.moved, movement.repeated)
