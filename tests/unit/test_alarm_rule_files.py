"""Rules as CSV: what is written is read again; what is wrong is one line."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.alarm_rule_files import compare, read_rules, rules_csv
from ic3.domain.alarm_rules import Rule, check_rule
from ic3.domain.alarms import Priority

HEAD = "name,kind,parameter,limit,states,priority,on_delay_s,notify\n"
WORDS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=9
).filter(lambda word: not word.startswith("'"))
NUMBERS = st.floats(-1e9, 1e9)
LOW = Rule(rule_id=7, name="low pressure", kind="low", parameter="PRESSURE", limit=-1.5)


def read(text: str) -> list[Rule]:
    found = read_rules(text.encode())
    assert found.problems == []
    return found.rules


def test_a_line_becomes_a_rule_and_what_is_left_out_is_as_usual() -> None:
    (rule,) = read(HEAD + "low pressure,low,PRESSURE,1.2,,2,30,ops;sms\n")
    assert rule == Rule(
        rule_id=0, name="low pressure", kind="low", parameter="PRESSURE", limit=1.2,
        priority=Priority.HIGH, on_delay_s=30, notify=("ops", "sms"),
    )  # fmt: skip
    assert read("name,kind\nsilent,stale\n")[0].priority is Priority.MEDIUM


@given(
    names=st.lists(WORDS, max_size=5, unique=True), words=st.lists(st.one_of(WORDS, NUMBERS)),
    limit=NUMBERS, notify=st.lists(WORDS, max_size=3),
)  # fmt: skip
def test_what_is_written_is_read_again(
    names: list[str], words: list[str | float], limit: float, notify: list[str]
) -> None:
    rules = []
    for name in names:
        rules += [
            Rule(
                rule_id=0, name=f"{name} a", kind="state", parameter=name, states=tuple(words),
                notify=tuple(notify), text=name, enabled=False,
            ),
            Rule(rule_id=0, name=f"{name} b", kind="high", parameter="P", limit=limit, serial=name),
        ]  # fmt: skip
    good = [rule for rule in rules if not check_rule(rule)]
    assert read(rules_csv(good)) == good


def test_s26_a_formula_is_guarded_on_the_way_out_and_freed_on_the_way_in() -> None:
    rule = msgspec.structs.replace(LOW, name="=1+1", rule_id=0, text="@sum")
    text = rules_csv([rule])
    assert "'=1+1" in text
    assert "-1.5" in text
    assert read(text) == [rule]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a,wet,,,,,,", "line 2: Invalid enum value 'wet' - at $.kind"),
        ("a,low,P,,,,,", "line 2: a low rule needs a limit"),
        ("a,low,P,nan,,,,", "line 2: limit is not finite"),
        ("a,low,P,1,,9,,", "line 2: priority must be 1 (critical), 2, 3 or 4 (low)"),
        ("a,state,P,,,,,", "line 2: a state rule needs 1 to 50 states"),
        ("a,state,P,,[1,,,", "line 2: a list in [ ] is not JSON of numbers and words"),
        (",low,P,1,,,,", "line 2: name is empty"),
        ("a,stale,,,,,-1,", "line 2: on_delay_s must be between 0 and 86,400 seconds"),
        ("a,stale,,,,,,", None),
        ("a,stale,,,,,,\na,stale,,,,,,", "line 3: 'a' stands already in line 2"),
        ("'=a,stale,,,,,,\n=a,stale,,,,,,", "line 3: '=a' stands already in line 2"),
        ("a\0,stale,,,,,,", "line 2: name holds a control character"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, problem: str | None) -> None:
    found = read_rules((HEAD + line + "\n").encode()).problems
    assert found[:1] == ([] if problem is None else [problem])


def test_a_file_is_compared_by_name_and_only_what_differs_is_named() -> None:
    stored = [LOW, msgspec.structs.replace(LOW, rule_id=8, name="other")]
    wanted = [
        msgspec.structs.replace(LOW, rule_id=0, limit=2.0),
        msgspec.structs.replace(LOW, rule_id=0, name="new"),
    ]
    diff = compare(stored, wanted)
    assert (diff.added, diff.same, diff.untouched) == (["new"], 0, 1)
    assert msgspec.to_builtins(diff.changed) == [
        {"name": "low pressure", "before": {"limit": -1.5}, "after": {"limit": 2.0}}
    ]
    assert compare(stored, [LOW]).same == 1
