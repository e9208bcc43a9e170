"""Bring the rules in force to what is stored."""

from ic3.domain.alarm_rules import RuleTable
from ic3.store.alarm_rules import RuleStore


class AlarmRules:
    """A change of a rule, whoever made it, holds within five seconds."""

    name = "alarm_rules"
    every_s: float | None = 5.0

    def __init__(self, *, rules: RuleTable, store: RuleStore) -> None:
        self._rules = rules
        self._store = store
        self._version: int | None = None

    async def step(self) -> None:
        """Load the rules where they have changed since they were last loaded."""
        # Before the rules: a change in between is loaded by the next round.
        version = await self._store.version()
        if version == self._version:
            return
        rules = tuple(each.rule for each in await self._store.all())
        if rules != self._rules.rules:
            self._rules.replace(rules)
        self._version = version
