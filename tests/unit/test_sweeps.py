"""What became of every key adds up: E1 to E6."""

from collections import Counter

import pytest
from builders import NOW, envelope, sweep
from hypothesis import given
from hypothesis import strategies as some

from ic3.domain.sweeps import (
    KEPT_KEYS,
    KEPT_REJECTS,
    Rejected,
    Sweep,
    mapping_equation,
)


def whole() -> Sweep:
    """A sweep in which everything happened, and every equation holds."""
    ended = sweep(envelope("A"), envelope("B"))
    ended.keys_listed, ended.list_duplicates = 24, 4
    ended.list_rejected.update({"wrong_prefix": 5})
    ended.keys_scanned, ended.matched, ended.unmatched = 15, 14, 1
    ended.read_ok, ended.unchanged = 11, 3
    ended.deferred["deadline"] = 1
    ended.failed.update({"timeout": 2, "http_500": 1})
    ended.quarantined.update({"bad_json": 4, "bad_time": 2})
    ended.tags_rejected.update({"non_finite": 9})
    return ended


def broken(ended: Sweep) -> list[str]:
    return [each.name for each in ended.reading_equations() if not each.holds]


def test_every_key_is_in_exactly_one_place() -> None:
    ended = whole()
    assert ended.accepted == 2
    assert broken(ended) == []


@pytest.mark.parametrize(
    ("counter", "equations"),
    [
        ("keys_listed", ["E1"]),
        ("keys_scanned", ["E1", "E2", "E4"]),
        ("read_ok", ["E2", "E3"]),
        ("unchanged", ["E3"]),
        ("accepted", ["E3"]),
        ("matched", ["E4"]),
        ("list_duplicates", ["E1"]),
    ],
)
def test_counter_that_is_off_by_one_breaks_its_equations(
    counter: str, equations: list[str]
) -> None:
    ended = whole()
    setattr(ended, counter, getattr(ended, counter) + 1)
    assert broken(ended) == equations


@pytest.mark.parametrize(
    ("counters", "equations"),
    [("list_rejected", ["E1"]), ("failed", ["E2"]), ("deferred", ["E2"]), ("quarantined", ["E3"])],
)
def test_reason_that_is_off_by_one_breaks_its_equation(counters: str, equations: list[str]) -> None:
    ended = whole()
    getattr(ended, counters)["odd"] += 1
    assert broken(ended) == equations


def test_stored_sweep_has_every_accepted_envelope_in_one_place() -> None:
    ended = whole()
    ended.stored, ended.duplicate = 1, 1
    assert ended.storing_equation().holds
    ended.gap = 1
    assert not ended.storing_equation().holds


def test_tags_are_in_one_place() -> None:
    assert mapping_equation(10, 5, 2, 2, 1).holds
    assert not mapping_equation(10, 5, 2, 2, 2).holds


def test_sweep_that_was_broken_off_says_how_far_it_came() -> None:
    ended = sweep(envelope("A"))
    ended.keys_listed = ended.keys_scanned = ended.matched = 10
    ended.read_ok = 1
    ended.stop()
    assert ended.deferred == {"stopped": 9}
    assert ended.error == "stopped after 1 of 10 keys"
    assert broken(ended) == []


def test_log_names_the_first_keys_of_what_went_wrong() -> None:
    ended = sweep()
    for number in range(5):
        ended.name_key("failed:timeout", f"key {number}")
        ended.name_key("unmatched", f"key {number}")

    assert ended.named == {"failed:timeout": ["key 0", "key 1", "key 2"]}


def test_empty_sweep_is_balanced() -> None:
    assert broken(sweep()) == []


def test_f29_rejected_items_are_kept_up_to_a_bound() -> None:
    ended = sweep()
    for number in range(KEPT_REJECTS + 5):
        ended.reject(Rejected("inner", "bad_json", f"key {number}", b"{", 1))

    assert len(ended.rejected) == KEPT_REJECTS
    assert ended.rejected[-1].key == f"key {KEPT_REJECTS - 1}"


def test_f29_keys_are_named_up_to_a_bound() -> None:
    ended = sweep()
    for number in range(KEPT_KEYS + 5):
        ended.name_key("failed:timeout" if number % 2 else "unmatched", f"key {number}")
    assert sum(map(len, ended.keys.values())) == KEPT_KEYS


def test_sweeps_share_nothing() -> None:
    first = Sweep(begun_at=NOW, started=0.0, simulated=True)
    second = Sweep(begun_at=NOW, started=0.0, simulated=True)
    first.failed["timeout"] += 1
    first.take(envelope())

    assert (second.failed, second.envelopes, second.accepted) == ({}, [], 0)


@given(
    some.dictionaries(some.text(max_size=5), some.integers(0, 2**40), max_size=3),
    some.integers(0, 2**40),
    some.none() | some.text(max_size=9),
)
def test_sweep_comes_back_from_its_record(
    failed: dict[str, int], scanned: int, error: str | None
) -> None:
    before = Sweep(begun_at=NOW, started=0.0, simulated=True, ended_at=NOW)
    before.failed, before.keys_scanned, before.error = Counter(failed), scanned, error
    before.rejected.append(Rejected("outer", "not_json", "k", b"\xff", 1))
    after = before.record().sweep([], spool_id=7, started=0.0)
    before.spool_id = 7
    assert after == before
