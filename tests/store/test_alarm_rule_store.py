"""Rules: changed only as they were seen, delivered once, each change audited."""

import asyncio
from typing import Any

import msgspec
import pytest
from samples import Sql

from ic3.domain.acts import Actor
from ic3.domain.alarm_rules import Rule
from ic3.domain.alarms import Priority
from ic3.errors import InputError
from ic3.store.alarm_rules import RuleStore
from ic3.store.pool import Database

ENG = Actor("ravi", "engineer", "10.0.0.8")
LOW = Rule(
    rule_id=0, name="low pressure", kind="low", parameter="PRESSURE", category="पम्प 'A'",
    limit=-1.5, priority=Priority.HIGH, deadband=0.25, on_delay_s=30, notify=("ops",), text="x",
)  # fmt: skip
MODE = Rule(rule_id=0, name="by hand", kind="state", parameter="MODE", states=(1.0, "Hand"))
ACTS = "SELECT who, what, object, before, after FROM audit_log WHERE id > %s ORDER BY id"


@pytest.fixture
def store(database: Database) -> RuleStore:
    return RuleStore(database)


@pytest.fixture
def last(sql: Sql) -> int:
    return int(sql("SELECT coalesce(max(id), 0) FROM audit_log")[0][0])


def unnumbered(rules: Any) -> list[Rule]:
    return [msgspec.structs.replace(each.rule, rule_id=0) for each in rules]


async def test_a_rule_is_read_back_as_it_was_made(store: RuleStore) -> None:
    made = [await store.add(ENG, LOW), await store.add(ENG, MODE)]
    assert await store.all() == made
    assert unnumbered(made) == [LOW, MODE]
    assert [each.version for each in made] == [1, 1]
    assert await store.one(made[0].rule.rule_id) == made[0]


async def test_a_change_is_refused_where_the_rule_has_changed_meanwhile(
    store: RuleStore, sql: Sql, last: int
) -> None:
    made = (await store.add(ENG, LOW)).rule
    changed = await store.change(ENG, msgspec.structs.replace(made, limit=2.0), version=1)
    assert changed is not None
    assert (changed.version, changed.rule.limit, changed.changed_by) == (2, 2.0, "ravi")
    late = msgspec.structs.replace(made, limit=3.0)
    assert await store.change(ENG, late, version=1) is None
    assert await store.change(ENG, msgspec.structs.replace(late, rule_id=99), version=1) is None
    assert [row[:2] + row[3:] for row in sql(ACTS, last)][1:] == [
        ("ravi", "rule changed", {"limit": -1.5}, {"limit": 2.0})
    ]


async def test_two_rules_have_not_one_name(store: RuleStore) -> None:
    first = (await store.add(ENG, LOW)).rule
    await store.add(ENG, MODE)
    with pytest.raises(InputError, match="another one has the name 'low pressure'"):
        await store.add(ENG, LOW)
    with pytest.raises(InputError, match="by hand"):
        await store.change(ENG, msgspec.structs.replace(first, name="by hand"), version=1)


async def test_version_grows_with_every_change(store: RuleStore) -> None:
    seen = [await store.version()]
    rule = (await store.add(ENG, LOW)).rule
    seen.append(await store.version())
    await store.change(ENG, msgspec.structs.replace(rule, enabled=False), version=1)
    seen.append(await store.version())
    assert await store.remove(ENG, rule.rule_id)
    seen.append(await store.version())
    assert seen == sorted(set(seen))
    assert not await store.remove(ENG, rule.rule_id)


async def test_defaults_are_inserted_once_and_never_again(store: RuleStore) -> None:
    taken = await asyncio.gather(
        store.insert_defaults([LOW, MODE]), store.insert_defaults([LOW, MODE])
    )
    assert sorted(taken) == [0, 2]
    assert {each.changed_by for each in await store.all()} == {None}
    for each in await store.all():
        await store.remove(ENG, each.rule.rule_id)
    assert await store.insert_defaults([LOW, MODE]) == 0
    assert await store.all() == []


async def test_where_nothing_is_delivered_nothing_is_later(store: RuleStore) -> None:
    assert await store.insert_defaults([]) == 0
    assert await store.insert_defaults([LOW]) == 0


async def test_a_file_adds_and_changes_and_a_dry_run_only_says_so(
    store: RuleStore, sql: Sql, last: int
) -> None:
    await store.add(ENG, LOW)
    wanted = [msgspec.structs.replace(LOW, limit=9.0), MODE]
    dry = await store.import_rules(ENG, wanted, dry_run=True)
    assert (dry.added, [each.name for each in dry.changed]) == (["by hand"], ["low pressure"])
    assert unnumbered(await store.all()) == [LOW]
    assert await store.import_rules(ENG, wanted, dry_run=False) == dry
    assert unnumbered(await store.all()) == wanted
    again = await store.import_rules(ENG, wanted, dry_run=False)
    assert (again.added, again.changed, again.same) == ([], [], 2)
    acts = sql(ACTS, last)
    assert [row[1] for row in acts] == ["rule made", "rules imported"]
    assert acts[1][3:] == (
        {"low pressure": {"limit": -1.5}},
        {"added": ["by hand"], "changed": {"low pressure": {"limit": 9.0}}},
    )
