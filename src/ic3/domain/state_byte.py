"""An asset's state in one byte: what every browser is told, computed here and nowhere else.

```
  7 unacknowledged | 6 quality not good | 5 4 3 life | 2 1 0 worst active priority
```
"""

from collections.abc import Mapping
from typing import Final

from ic3.domain.freshness import State

LIFE: Final[Mapping[State, int]] = {
    State.FRESH: 0,
    State.STALE: 1,
    State.UNREACHABLE: 2,
    State.VANISHED: 3,
    State.CLOCK_WRONG: 4,
    State.NEVER_SEEN: 5,
}


def state_byte(life: State, *, good: bool, priority: int, unacknowledged: bool) -> int:
    """One asset's state.

    Args:
        life: Whether it still speaks.
        good: Whether the source vouches for its newest values.
        priority: The worst of its alarms that call and are active, 1 to 4; 0 where there is none.
        unacknowledged: Whether one of them waits for somebody.
    """
    return priority | LIFE[life] << 3 | (not good) << 6 | unacknowledged << 7
