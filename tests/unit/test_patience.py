"""A database that goes away while the program starts."""

import pytest

from ic3.app.database import Patience
from ic3.errors import DatabaseAway, SchemaError
from ic3.observations import Observation, Starting


class Flaky:
    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    async def step(self) -> str:
        if self._errors:
            raise self._errors.pop(0)
        return "done"


async def test_start_goes_on_when_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ic3.app.database.PAUSE_S", 0)
    told: list[Observation] = []
    flaky = Flaky(DatabaseAway("killed"), DatabaseAway("starting up"))
    assert await Patience(30, told.append).run(flaky.step) == "done"
    assert told == [
        Starting("database", "waits for it: killed"),
        Starting("database", "waits for it: starting up"),
    ]


async def test_foreign_database_that_is_away_is_said_at_once() -> None:
    with pytest.raises(DatabaseAway, match="refused"):
        await Patience(0, lambda _: None).run(Flaky(DatabaseAway("refused")).step)


async def test_start_waits_for_nothing_else() -> None:
    with pytest.raises(SchemaError):
        await Patience(30, lambda _: None).run(Flaky(SchemaError("newer")).step)
