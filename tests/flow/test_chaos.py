"""A short drive of kills; `make chaos` does the long one."""

from pathlib import Path

from chaos import Drive


def test_f12_f19_kills_of_everything_lose_nothing_and_store_nothing_twice(own_place: Path) -> None:
    drive = Drive(own_place, seed=7, replicate=1, interval_s=0.3)
    outcome = drive.run(process_kills=4, postmaster_kills=2, plant_kills=1)
    assert outcome.odd == 0, outcome
    assert outcome.accepted > 5_000
    assert outcome.process_kills == 4
    assert outcome.postmaster_kills >= 2
