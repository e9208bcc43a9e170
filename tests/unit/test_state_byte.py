"""The byte that tells an asset's state."""

import itertools

from ic3.domain.freshness import State
from ic3.domain.state_byte import LIFE, state_byte


def test_every_combination_is_a_byte_of_its_own_and_can_be_taken_apart() -> None:
    seen = set()
    for life, good, priority, waits in itertools.product(
        State, (True, False), range(5), (True, False)
    ):
        byte = state_byte(life, good=good, priority=priority, unacknowledged=waits)
        assert (byte & 7, byte >> 3 & 7, byte >> 6 & 1, byte >> 7) == (
            priority, LIFE[life], not good, waits,
        )  # fmt: skip
        seen.add(byte)
    assert len(seen) == len(State) * 20
    assert max(seen) <= 255
    assert [LIFE[each] for each in State] == list(range(6))
