"""The last 20 runs, newest first, as the progress endpoint answers them."""

from datetime import timedelta
from pathlib import Path

import msgspec
from builders import NOW

from ic3.domain.runs import RecentRuns, Run

GOLDEN = Path(__file__).parent / "golden" / "progress.json"


def run(number: int, *, seconds: int | None = None) -> Run:
    after = 15 * number if seconds is None else seconds
    return Run(number, NOW + timedelta(seconds=after), 557, 541, 16, 2734, 89, 420)


def ids(runs: RecentRuns) -> list[int]:
    return [each.id for each in runs.progress().runs]


def test_progress_answers_the_contracts_form_to_the_byte() -> None:
    failed = Run(
        2, NOW + timedelta(seconds=15), 0, 0, 0, 0, 0, 9000, "gateway: no list of keys within 12 s"
    )
    runs = RecentRuns([failed, run(1, seconds=0)])

    assert msgspec.json.encode(runs.progress()) == GOLDEN.read_bytes()


def test_error_appears_only_where_a_run_failed() -> None:
    assert b"error_msg" not in msgspec.json.encode(run(1))
    assert b'"error_msg":""' in msgspec.json.encode(msgspec.structs.replace(run(1), error_msg=""))


def test_no_runs_are_an_empty_list_and_no_latest() -> None:
    assert msgspec.json.encode(RecentRuns().progress()) == b'{"runs":[],"latest":null}'


def test_last_20_runs_are_kept_newest_first() -> None:
    runs = RecentRuns()
    for number in range(1, 26):
        runs.add(run(number))

    assert ids(runs) == list(range(25, 5, -1))
    assert runs.progress().latest == run(25)


def test_a_run_follows_only_where_no_other_process_has_logged_one_between() -> None:
    runs = RecentRuns([run(3), run(2)])

    assert runs.follows(run(4))
    assert not runs.follows(run(5))
    assert RecentRuns().follows(run(1))
    assert not RecentRuns().follows(run(7))


def test_longer_list_keeps_its_newest_20() -> None:
    newest_first = [run(number) for number in range(25, 0, -1)]
    replaced = RecentRuns()
    replaced.replace(newest_first)

    assert ids(replaced) == list(range(25, 5, -1))
    assert ids(RecentRuns(newest_first)) == list(range(25, 5, -1))


def test_run_logged_late_stands_where_its_time_puts_it() -> None:
    runs = RecentRuns([run(3), run(1)])

    runs.add(run(2))

    assert ids(runs) == [3, 2, 1]


def test_runs_of_one_instant_are_ordered_by_id() -> None:
    runs = RecentRuns([run(2, seconds=0), run(1, seconds=0)])

    runs.add(run(3, seconds=0))

    assert ids(runs) == [3, 2, 1]


def test_every_change_has_a_version_of_its_own() -> None:
    runs = RecentRuns()
    seen = [runs.version]
    runs.add(run(1))
    seen.append(runs.version)
    runs.replace([])
    seen.append(runs.version)

    assert len(set(seen)) == 3


def test_answer_once_given_does_not_change() -> None:
    runs = RecentRuns([run(1)])
    before = runs.progress()

    runs.add(run(2))

    assert [each.id for each in before.runs] == [1]
