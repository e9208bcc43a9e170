"""What became of every key adds up to the keys scanned."""

from builders import NOW, envelope, sweep

from ic3.domain.sweeps import KEPT_REJECTS, Rejected, Sweep


def test_every_key_is_in_exactly_one_place() -> None:
    ended = sweep(envelope("A"), envelope("B"))
    ended.keys_scanned = 15
    ended.unchanged = 3
    ended.deferred.update({"deadline": 1})
    ended.failed.update({"timeout": 2, "status": 1})
    ended.quarantined.update({"bad_json": 4, "bad_time": 2})

    assert ended.accepted == 2
    assert ended.balance() == (15, 15)


def test_lost_key_breaks_the_balance() -> None:
    ended = sweep(envelope("A"))
    ended.keys_scanned = 2

    assert ended.balance() == (2, 1)


def test_keys_of_the_list_and_rejected_tags_are_outside_the_balance() -> None:
    ended = sweep(envelope("A"))
    ended.keys_scanned = 1
    ended.list_duplicates = 4
    ended.list_rejected.update({"wrong_prefix": 2})
    ended.tags_rejected.update({"non_finite": 9})
    ended.stored, ended.duplicate = 0, 1

    assert ended.balance() == (1, 1)


def test_empty_sweep_is_balanced() -> None:
    assert sweep().balance() == (0, 0)


def test_rejected_items_are_kept_up_to_a_bound() -> None:
    ended = sweep()
    for number in range(KEPT_REJECTS + 5):
        ended.reject(Rejected("inner", "bad_json", f"key {number}", b"{", 1))

    assert len(ended.rejected) == KEPT_REJECTS
    assert ended.rejected[-1].key == f"key {KEPT_REJECTS - 1}"


def test_sweeps_share_nothing() -> None:
    first = Sweep(begun_at=NOW, started=0.0, simulated=True)
    second = Sweep(begun_at=NOW, started=0.0, simulated=True)
    first.failed["timeout"] += 1
    first.envelopes.append(envelope())

    assert (second.failed, second.envelopes) == ({}, [])
