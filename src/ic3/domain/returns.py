"""When the conditions of alarms were last over, for the orders that were made from them."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from ic3.domain.alarms import Alarms, Change, What

LIMIT: Final = 10_000

Key = tuple[str, str, str]


class Watched(NamedTuple):
    """An order that was made from an alarm, and when it has the value as returned."""

    order_id: int
    key: Key
    returned_us: int | None


class Returns:
    """Listens to the alarms, since one that is cleared is forgotten there.

    What is kept is bounded; where it was too much, the time of the look is taken.
    """

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._returned: dict[Key, int] = {}
        alarms.listen(self._heard)

    def _heard(self, change: Change) -> None:
        alarm = change.alarm
        key = (alarm.source_kind, alarm.source, alarm.condition)
        self._returned.pop(key, None)
        if change.what is not What.NEW and alarm.returned_us is not None and not alarm.active:
            self._returned[key] = alarm.returned_us
            if len(self._returned) > LIMIT:
                del self._returned[next(iter(self._returned))]

    def changed(self, watched: Iterable[Watched], *, now_us: int) -> list[tuple[int, int | None]]:
        """Orders whose value returned or failed again, each with when it returned."""
        found: list[tuple[int, int | None]] = []
        for each in watched:
            kind, source, condition = each.key
            alarm = self._alarms.find(kind, source, condition)  # type: ignore[arg-type]  # a word of the table
            if alarm is not None and alarm.active:
                returned_us = None
            elif alarm is not None:
                returned_us = alarm.returned_us or now_us
            else:
                returned_us = self._returned.get(each.key) or each.returned_us or now_us
            if returned_us != each.returned_us:
                found.append((each.order_id, returned_us))
        return found
