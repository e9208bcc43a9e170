"""What a file would change: added, changed, same, and what a person entered stays."""

from ic3.domain.diffs import Change, Current, Key, Outcome, compare
from ic3.domain.imports import COLUMNS, cells, read_csv
from ic3.domain.spreadsheets import csv_text

Rows = dict[Key, Current]
ENTERED = Current({"serialnumber": "A", "name": "Ours", "site": "North"}, frozenset({"name"}))


def test_a_row_that_is_not_there_is_added() -> None:
    found = compare("register", {}, [{"serialnumber": "A", "name": "N", "site": None}])
    assert (found.added, found.changed, found.same) == (1, 0, 0)
    assert found.changes == [Change(("A",), Outcome.ADDED, {"name": (None, "N")})]


def test_an_empty_cell_changes_nothing() -> None:
    current: Rows = {("A",): Current({"serialnumber": "A", "name": "N"})}
    found = compare("register", current, [{"serialnumber": "A", "name": None}])
    assert (found.same, found.changes, found.rows) == (1, [], [])


def test_what_a_person_entered_stays_and_the_rest_is_changed() -> None:
    row = {"serialnumber": "A", "name": "Theirs", "site": "West"}
    found = compare("register", {("A",): ENTERED}, [row])
    assert (found.changed, found.same, found.conflicts) == (1, 0, 1)
    [change] = found.changes
    assert change.fields == {"site": ("North", "West")}
    assert change.conflicts == {"name": ("Ours", "Theirs")}
    assert found.rows == [{**row, "name": "Ours"}]


def test_a_row_in_conflict_alone_is_not_written() -> None:
    found = compare("register", {("A",): ENTERED}, [{"serialnumber": "A", "name": "Theirs"}])
    assert (found.changed, found.same, found.conflicts, found.rows) == (0, 1, 1, [])


def test_agreeing_with_a_person_ends_the_conflict() -> None:
    found = compare("register", {("A",): ENTERED}, [{"serialnumber": "A", "name": "Ours"}])
    assert found.agreed == [(("A",), "name")]


def test_a_number_in_a_column_of_text_is_the_same() -> None:
    kept = Current({"serialnumber": "A", "traceability_id": 73841, "ticketcount": "3"})
    current: Rows = {("A",): kept}
    row = {"serialnumber": "A", "traceability_id": "73841", "ticketcount": 3}
    assert compare("register", current, [row]).same == 1


def test_a_file_that_was_exported_is_read_as_it_was() -> None:
    row = dict.fromkeys(COLUMNS["register"]) | {
        "serialnumber": "=A,1", "name": "'=quoted", "barcode": "-5", "longitude": -77.5,
        "ticketcount": 3, "site": '+"91', "criticality": "''@x",
        "external_ids": [{"system": "gis", "id": "a=b"}, {"system": "scada", "id": "P 7"}],
    }  # fmt: skip
    text = csv_text([list(COLUMNS["register"]), cells("register", row)])
    assert "'=A,1" in text
    assert "\n-77.5" not in text
    found = read_csv("register", text.encode())
    assert (found.problems, found.rows) == ([], [row])


def test_areas_are_read_with_their_boundary() -> None:
    polygon = '{"type":"Polygon","coordinates":[[[77.1,28.6],[77.2,28.6],[77.1,28.7],[77.1,28.6]]]}'
    text = csv_text([["dma_id", "boundary", "supply_hours"], ["D1", polygon, 4.5]])
    [row] = read_csv("dmas", text.encode()).rows
    assert (row["boundary"], row["supply_hours"]) == (
        {
            "type": "Polygon",
            "coordinates": [[[77.1, 28.6], [77.2, 28.6], [77.1, 28.7], [77.1, 28.6]]],
        },
        4.5,
    )
    for cell in ("{", "[]", '{"type":"Point","coordinates":[1,2]}', '{"type":"Polygon"}', "NaN"):
        problems = read_csv(
            "dmas", csv_text([["dma_id", "boundary"], ["D1", cell]]).encode()
        ).problems
        assert problems[0].startswith("line 2: boundary "), cell


def test_cells_of_other_systems_numbers_are_checked() -> None:
    for cell in (
        "4711",
        "=1",
        "a b=1",
        "gis=1; gis=2",
        "gis=",
        "; ".join(f"s{n}=1" for n in range(21)),
    ):
        text = csv_text([["serialnumber", "external_ids"], ["A", cell]])
        assert read_csv("register", text.encode()).problems, cell
