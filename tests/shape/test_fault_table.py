"""Every row of the fault table, F1 to F32, has a test that carries its number in its name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parents[1]
FAULTS: Final = range(1, 33)


def _numbers_of(source: str) -> Iterator[int]:
    """The faults that the test functions of a file are named after: `test_f1_f2_what_happens`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            named = re.match(r"test((?:_f\d+)+)(?:_s\d+)*_[a-z]", node.name)
            yield from map(int, re.findall(r"\d+", named[1] if named else ""))


def _proved() -> set[int]:
    return {
        number
        for path in TESTS.rglob("test_*.py")
        for number in _numbers_of(path.read_text(encoding="utf-8"))
    }


def test_every_fault_of_the_table_has_a_test_named_after_it() -> None:
    assert sorted(set(FAULTS) - _proved()) == []


def test_no_test_is_named_after_a_fault_that_the_table_lacks() -> None:
    assert sorted(_proved() - set(FAULTS)) == []


def test_numbers_are_read_from_names_of_tests_only() -> None:
    source = (
        '"""F5"""\ndef test_f1_f12_a_thing(): ...\nasync def test_f03_b(): ...\n'
        "def helper_f4_c(): ...\ndef test_a_thing_of_f6(): ...\n"
    )
    assert sorted(_numbers_of(source)) == [1, 3, 12]
