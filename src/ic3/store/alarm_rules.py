"""The rules of alarms: read by those who judge, changed by engineers, each change audited."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.alarm_rule_files import RuleDiff, compare, differences
from ic3.domain.alarm_rules import Rule
from ic3.domain.alarms import Priority
from ic3.errors import InputError
from ic3.store.audit import record
from ic3.store.pool import Connection, Database

RULES_LIMIT: Final = 10_000

VERSION: Final = "SELECT version FROM ic3_alarm_rule_version"
# Whoever changes rules takes turns: a file is compared with what it is put beside.
TAKE_TURN: Final = "SELECT version FROM ic3_alarm_rule_version FOR UPDATE"
SETTLE_VERSION: Final = "UPDATE ic3_alarm_rule_version SET version = 1 WHERE version = 0"
ALL_RULES: Final = """
SELECT id, name, kind, enabled, parameter, category, domain, dma_id, serial, limit_value, states,
    priority, deadband, on_delay_s, off_delay_s, notify, text, version, changed_at, changed_by
FROM ic3_alarm_rule ORDER BY id LIMIT 10000
"""
RULE: Final = """
SELECT id, name, kind, enabled, parameter, category, domain, dma_id, serial, limit_value, states,
    priority, deadband, on_delay_s, off_delay_s, notify, text, version, changed_at, changed_by
FROM ic3_alarm_rule WHERE id = %(id)s
"""
INSERT_RULES: Final = """
INSERT INTO ic3_alarm_rule (name, kind, enabled, parameter, category, domain, dma_id, serial,
    limit_value, states, priority, deadband, on_delay_s, off_delay_s, notify, text, changed_by)
SELECT name, kind, enabled, parameter, category, domain, dma_id, serial, limit_value, states,
    priority, deadband, on_delay_s, off_delay_s, notify, text, %(who)s
FROM jsonb_to_recordset(%(rows)s) AS given (number int, name text, kind text, enabled boolean,
    parameter text, category text, domain text, dma_id text, serial text,
    limit_value double precision, states jsonb, priority smallint, deadband double precision,
    on_delay_s double precision, off_delay_s double precision, notify jsonb, text text)
ORDER BY number
ON CONFLICT (name) DO NOTHING
RETURNING id
"""
CHANGE_RULES: Final = """
UPDATE ic3_alarm_rule kept SET name = given.name, kind = given.kind, enabled = given.enabled,
    parameter = given.parameter, category = given.category, domain = given.domain,
    dma_id = given.dma_id, serial = given.serial, limit_value = given.limit_value,
    states = given.states, priority = given.priority, deadband = given.deadband,
    on_delay_s = given.on_delay_s, off_delay_s = given.off_delay_s, notify = given.notify,
    text = given.text, version = kept.version + 1, changed_at = now(), changed_by = %(who)s
FROM jsonb_to_recordset(%(rows)s) AS given (id bigint, name text, kind text, enabled boolean,
    parameter text, category text, domain text, dma_id text, serial text,
    limit_value double precision, states jsonb, priority smallint, deadband double precision,
    on_delay_s double precision, off_delay_s double precision, notify jsonb, text text)
WHERE kept.id = given.id
"""
NAME_TAKEN: Final = """
SELECT EXISTS (SELECT FROM ic3_alarm_rule WHERE name = %(name)s AND id <> %(id)s)
"""
COUNT_RULES: Final = "SELECT count(*) FROM ic3_alarm_rule"
REMOVE_RULE: Final = "DELETE FROM ic3_alarm_rule WHERE id = %(id)s"


class StoredRule(msgspec.Struct, frozen=True):
    """A rule, and which change of it this is.

    Attributes:
        changed_by: None where it is as delivered.
    """

    rule: Rule
    version: int
    changed_at: datetime
    changed_by: str | None


class RuleStore:
    """Reads and changes the rules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self) -> int:
        """Grows with every change; whoever holds rules loads them again when it differs."""
        async with self._database.connection() as connection:
            return await _version(connection, VERSION)

    async def all(self) -> list[StoredRule]:
        """Every rule, by number."""
        async with self._database.connection() as connection:
            return await _all(connection)

    async def one(self, rule_id: int) -> StoredRule | None:
        """One rule."""
        async with self._database.connection() as connection:
            return await _one(connection, rule_id)

    async def insert_defaults(self, rules: Sequence[Rule]) -> int:
        """Give a new installation its first rules; never again, also where all were deleted.

        Returns:
            How many were inserted.
        """
        async with self._database.connection() as connection:
            if await _version(connection, TAKE_TURN):
                return 0
            inserted = await _insert(connection, rules, who=None)
            await connection.execute(SETTLE_VERSION)
            return len(inserted)

    async def add(self, actor: Actor, rule: Rule) -> StoredRule:
        """Make a rule; its number is given here.

        Raises:
            InputError: Its name is taken, or there are too many.
        """
        async with self._database.connection() as connection:
            await _version(connection, TAKE_TURN)
            await _check_room(connection, 1)
            numbers = await _insert(connection, [rule], who=actor.who)
            if not numbers:
                raise _taken(rule)
            made = await _one(connection, numbers[0])
            assert made is not None
            await record(
                connection, actor, "rule made", f"rule {numbers[0]}",
                after=msgspec.to_builtins(made.rule),
            )  # fmt: skip
            return made

    async def change(self, actor: Actor, rule: Rule, *, version: int) -> StoredRule | None:
        """Put a rule in the place of the one with its number.

        Args:
            actor: Who changes it.
            rule: As it is to be.
            version: Of the rule that was changed to this.

        Returns:
            What is stored now; None where there is no such rule of this version.

        Raises:
            InputError: Another rule has its name.
        """
        async with self._database.connection() as connection:
            await _version(connection, TAKE_TURN)
            before = await _one(connection, rule.rule_id)
            if before is None or before.version != version:
                return None
            named = {"name": rule.name, "id": rule.rule_id}
            if (await (await connection.execute(NAME_TAKEN, named)).fetchone()) == (True,):
                raise _taken(rule)
            differing = differences(before.rule, rule)
            if differing is None:
                return before
            await _change(connection, [rule], who=actor.who)
            await record(
                connection, actor, "rule changed", f"rule {rule.rule_id}", before=differing[0],
                after=differing[1],
            )  # fmt: skip
            return await _one(connection, rule.rule_id)

    async def remove(self, actor: Actor, rule_id: int) -> bool:
        """Delete a rule; False where there is none."""
        async with self._database.connection() as connection:
            await _version(connection, TAKE_TURN)
            before = await _one(connection, rule_id)
            if before is None:
                return False
            await connection.execute(REMOVE_RULE, {"id": rule_id})
            await record(
                connection, actor, "rule deleted", f"rule {rule_id}",
                before=msgspec.to_builtins(before.rule),
            )  # fmt: skip
            return True

    async def import_rules(
        self, actor: Actor, wanted: Sequence[Rule], *, dry_run: bool
    ) -> RuleDiff:
        """Put the rules of a checked file beside those that are stored, by name; all or nothing.

        Args:
            actor: Who imports.
            wanted: Its rules.
            dry_run: Only say what it would do.

        Raises:
            InputError: There would be too many.
        """
        async with self._database.connection() as connection:
            await _version(connection, TAKE_TURN)
            stored = [each.rule for each in await _all(connection)]
            diff = compare(stored, wanted)
            await _check_room(connection, len(diff.added))
            if dry_run or not (diff.added or diff.changed):
                return diff
            numbers = {rule.name: rule.rule_id for rule in stored}
            await _insert(
                connection, [each for each in wanted if each.name not in numbers], who=actor.who
            )
            changed = {each.name for each in diff.changed}
            await _change(
                connection,
                [
                    msgspec.structs.replace(each, rule_id=numbers[each.name])
                    for each in wanted
                    if each.name in changed
                ],
                who=actor.who,
            )
            await record(
                connection, actor, "rules imported", f"{len(wanted)} rules",
                before={each.name: each.before for each in diff.changed},
                after={
                    "added": diff.added, "changed": {each.name: each.after for each in diff.changed}
                },
            )  # fmt: skip
            return diff


def _taken(rule: Rule) -> InputError:
    return InputError(f"rule: another one has the name {rule.name!r}; choose another name")


async def _version(connection: Connection, statement: LiteralString) -> int:
    row = await (await connection.execute(statement)).fetchone()
    return int(row[0]) if row else 0


async def _check_room(connection: Connection, more: int) -> None:
    row = await (await connection.execute(COUNT_RULES)).fetchone()
    if row is not None and row[0] + more > RULES_LIMIT:
        raise InputError(f"rule: there may be {RULES_LIMIT:,}; delete some first")


async def _all(connection: Connection) -> list[StoredRule]:
    return [_stored(row) for row in await (await connection.execute(ALL_RULES)).fetchall()]


async def _one(connection: Connection, rule_id: int) -> StoredRule | None:
    row = await (await connection.execute(RULE, {"id": rule_id})).fetchone()
    return None if row is None else _stored(row)


async def _insert(connection: Connection, rules: Sequence[Rule], *, who: str | None) -> list[int]:
    if not rules:
        return []
    rows = [{"number": number, **_row(each)} for number, each in enumerate(rules)]
    cursor = await connection.execute(INSERT_RULES, {"rows": Jsonb(rows), "who": who})
    return [row[0] for row in await cursor.fetchall()]


async def _change(connection: Connection, rules: Sequence[Rule], *, who: str) -> None:
    if rules:
        rows = [{"id": each.rule_id, **_row(each)} for each in rules]
        await connection.execute(CHANGE_RULES, {"rows": Jsonb(rows), "who": who})


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name, "kind": rule.kind, "enabled": rule.enabled,
        "parameter": rule.parameter, "category": rule.category, "domain": rule.domain,
        "dma_id": rule.dma_id, "serial": rule.serial, "limit_value": rule.limit,
        "states": list(rule.states), "priority": int(rule.priority), "deadband": rule.deadband,
        "on_delay_s": rule.on_delay_s, "off_delay_s": rule.off_delay_s,
        "notify": list(rule.notify), "text": rule.text,
    }  # fmt: skip


def _stored(row: Sequence[Any]) -> StoredRule:
    (
        number, name, kind, enabled, parameter, category, domain, dma_id, serial, limit, states,
        priority, deadband, on_delay_s, off_delay_s, notify, text, version, changed_at, changed_by,
    ) = row  # fmt: skip
    rule = Rule(
        rule_id=number, name=name, kind=kind, enabled=enabled, parameter=parameter,
        category=category, domain=domain, dma_id=dma_id, serial=serial, limit=limit,
        states=tuple(each if isinstance(each, str) else float(each) for each in states),
        priority=Priority(priority), deadband=deadband, on_delay_s=on_delay_s,
        off_delay_s=off_delay_s, notify=tuple(notify), text=text,
    )  # fmt: skip
    return StoredRule(rule, version, changed_at, changed_by)
