import pytest

from ic3.simulator.clock import SECOND_NS, PlantClock

NOON_NS = 1_781_500_000 * SECOND_NS


class Wall:
    now_ns = NOON_NS

    def __call__(self) -> int:
        return self.now_ns


def test_plain_clock_is_the_walls() -> None:
    wall = Wall()
    clock = PlantClock(wall_ns=wall)
    wall.now_ns += 17
    assert clock.now_ns() == wall.now_ns
    assert clock.wait_s(wall.now_ns + SECOND_NS) == pytest.approx(1)


def test_fast_clock_plays_the_past_and_never_leads() -> None:
    wall = Wall()
    clock = PlantClock(speed=61, behind_s=3600, wall_ns=wall)
    assert clock.now_ns() == NOON_NS - 3600 * SECOND_NS
    wall.now_ns += 30 * SECOND_NS
    assert clock.now_ns() == NOON_NS + (30 * 61 - 3600) * SECOND_NS
    assert clock.wait_s(clock.now_ns() + 61 * SECOND_NS) == pytest.approx(1)
    wall.now_ns += 60 * SECOND_NS
    assert clock.now_ns() == wall.now_ns
    assert clock.wait_s(wall.now_ns + SECOND_NS) == pytest.approx(1)
