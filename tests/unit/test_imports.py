"""A CSV file is checked line by line: good rows, and a problem with its line for each bad one."""

import re

import pytest

from ic3.domain.imports import COLUMNS, KEYS, MAX_PROBLEMS, REQUIRED, FileImport, read_csv

REGISTER_HEAD = "serialnumber,name,longitude,latitude,ticketcount\n"
PARAMETER_HEAD = "param_tag_code,parameter_name,unit,kind,range_low,range_high,decimals\n"


def read(table: str, text: str) -> FileImport:
    return read_csv(table, text.encode())


def problems(table: str, text: str) -> list[str]:
    return read(table, text).problems


def test_good_register_file_becomes_rows_of_every_column() -> None:
    found = read("register", REGISTER_HEAD + "A_SV_1,Valve 1,77.2,28.6,3\n")

    assert found.problems == []
    assert found.rows == [
        dict.fromkeys(COLUMNS["register"])
        | {
            "serialnumber": "A_SV_1",
            "name": "Valve 1",
            "longitude": 77.2,
            "latitude": 28.6,
            "ticketcount": 3,
        }
    ]
    assert found.lines == [2]


def test_good_parameter_file_becomes_rows() -> None:
    found = read("parameters", PARAMETER_HEAD + "FLOW,Flow,m³/h,gauge,-1.5,1e3,2\n")

    (row,) = found.rows
    assert (row["unit"], row["range_low"], row["range_high"]) == ("m³/h", -1.5, 1000.0)
    assert (row["decimals"], row["rate_max_per_s"]) == (2, None)


def test_a_range_upside_down_is_a_problem_of_its_line() -> None:
    text = PARAMETER_HEAD + "A,A,,,2,1,\nB,B,,,1,1,\nC,C,,,,1,\nD,D,,,2,,\n"

    assert problems("parameters", text) == ["line 2: range_low is above range_high"]


@pytest.mark.parametrize("cell", ["1_0", "١٢", "1_0.5"])
def test_numbers_as_only_python_reads_them_are_refused(cell: str) -> None:
    assert problems("register", REGISTER_HEAD + f"A,,,,{cell}\n") == [
        f"line 2: ticketcount is not a whole number: {cell!r}"
    ]
    assert problems("register", REGISTER_HEAD + f"A,,{cell},,\n") == [
        f"line 2: longitude is not a number: {cell!r}"
    ]


def test_good_tag_map_names_what_it_refers_to() -> None:
    found = read(
        "tagmap", "tag_code,serialnumber,param_tag_code\nT1,B,FLOW\nT2,A,FLOW\nT1,A,LEVEL\n"
    )

    assert found.problems == []
    assert found.serials() == ["A", "B"]
    assert found.codes() == ["FLOW", "LEVEL"]


def test_only_a_tag_map_refers_to_other_tables() -> None:
    found = read("register", "serialnumber\nA\n")

    assert (found.serials(), found.codes()) == ([], [])


def test_unknown_references_are_problems_of_their_lines() -> None:
    found = read("tagmap", "serialnumber,tag_code,param_tag_code\nA,T,FLOW\nB,T,LEVEL\n")

    found.check_references({"B"}, {"FLOW"})

    assert found.problems == [
        "line 2: param_tag_code 'FLOW' is not a parameter",
        "line 3: serialnumber 'B' is not in the register",
    ]


def test_byte_order_mark_is_no_part_of_the_header() -> None:
    found = read_csv("register", b"\xef\xbb\xbfserialnumber\nA\n")

    assert (found.problems, len(found.rows)) == ([], 1)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_end_as_any_system_ends_them(end: str) -> None:
    found = read("register", end.join(["serialnumber,name", "A,x", "B,y", ""]))

    assert found.problems == []
    assert [row["name"] for row in found.rows] == ["x", "y"]
    assert found.lines == [2, 3]


def test_quoted_comma_and_quote_are_part_of_the_cell() -> None:
    found = read("register", 'serialnumber,name\n"A, ""B""",x\n')

    assert found.rows[0]["serialnumber"] == 'A, "B"'


def test_line_break_in_a_cell_is_refused_with_its_line() -> None:
    assert problems("register", 'serialnumber,name\nA,x\nB,"two\nlines"\nC,z\n') == [
        "line 4: name holds a control character"
    ]


def test_lines_after_a_quoted_line_break_keep_their_numbers() -> None:
    found = read("register", 'serialnumber,name\n"A\n",x\nB,y\nB,z\n')

    assert found.problems == ["line 5: 'B' stands already in line 4"]
    assert found.rows[0]["serialnumber"] == "A"


def test_blank_lines_and_spaces_around_cells_do_not_count() -> None:
    found = read("register", "serialnumber,name\n\n  A  , x \n\n")

    assert found.problems == []
    assert (found.rows[0]["serialnumber"], found.rows[0]["name"]) == ("A", "x")
    assert found.lines == [3]


def test_empty_cell_is_null() -> None:
    assert read("register", "serialnumber,name\nA,\n").rows[0]["name"] is None


@pytest.mark.parametrize("serial", ["दाब_SV_1", "क्\u200dष", "A+B/C%20 #1", "a\u00a0b"])
def test_serial_number_of_any_script_is_taken(serial: str) -> None:
    found = read("register", f"serialnumber\n{serial}\n")

    assert found.problems == []
    assert found.rows[0]["serialnumber"] == serial


@pytest.mark.parametrize("table", ["register", "parameters", "tagmap"])
@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf"])
def test_empty_file_lacks_its_required_columns(table: str, data: bytes) -> None:
    found = read_csv(table, data)

    assert found.rows == []
    assert found.problems == [f"line 1: column {name} is missing" for name in REQUIRED[table]]


def test_header_alone_is_a_file_without_rows() -> None:
    found = read("register", REGISTER_HEAD)

    assert (found.rows, found.problems) == ([], [])


def test_file_that_is_not_utf8_is_refused_whole() -> None:
    found = read_csv("register", "serialnumber\nCafé\n".encode("latin-1"))

    assert found.rows == []
    assert found.problems == ["line 1: the file is not UTF-8 (byte 16); save it as UTF-8"]


def test_utf16_file_is_refused_whole() -> None:
    assert read_csv("register", "serialnumber\nA\n".encode("utf-16")).problems == [
        "line 1: the file is not UTF-8 (byte 0); save it as UTF-8"
    ]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("serialnumber,colour", "line 1: unknown column 'colour'"),
        ("serialnumber,Name", "line 1: unknown column 'Name'"),
        ("serialnumber;name", "line 1: unknown column 'serialnumber;name'"),
        ("name", "line 1: column serialnumber is missing"),
        ("serialnumber,name,name", "line 1: a column stands twice"),
        ("serialnumber,", "line 1: unknown column ''"),
    ],
)
def test_wrong_header_is_refused_and_no_row_is_read(head: str, words: str) -> None:
    found = read("register", f"{head}\nA,B,C\n")

    assert found.rows == []
    assert any(problem.startswith(words) for problem in found.problems)


def test_unknown_column_is_not_repeated_at_length() -> None:
    (problem,) = problems("register", "serialnumber," + "x" * 100_000 + "\nA,B\n")

    assert len(problem) < 500


def test_row_with_too_few_or_too_many_cells_is_refused() -> None:
    assert problems("register", "serialnumber,name\nA\nB,x\nC,x,y\n") == [
        "line 2: has not the 2 cells of the header",
        "line 4: has not the 2 cells of the header",
    ]


@pytest.mark.parametrize(
    ("table", "text", "line"),
    [
        ("register", "serialnumber,name\nA,x\nB,y\nA,z\n", "line 4: 'A' stands already in line 2"),
        ("register", "serialnumber\nA\n A \n", "line 3: 'A' stands already in line 2"),
        (
            "parameters",
            "param_tag_code,parameter_name\nF,x\nF,y\n",
            "line 3: 'F' stands already in line 2",
        ),
        (
            "tagmap",
            "serialnumber,tag_code,param_tag_code\nA,T,F\nA,T,G\n",
            "line 3: 'T' stands already in line 2",
        ),
    ],
)
def test_key_that_stands_twice_is_refused(table: str, text: str, line: str) -> None:
    assert problems(table, text) == [line]


def test_same_tag_of_two_assets_is_no_repetition() -> None:
    assert problems("tagmap", "serialnumber,tag_code,param_tag_code\nA,T,F\nB,T,F\n") == []


@pytest.mark.parametrize("table", ["register", "parameters", "tagmap"])
def test_empty_required_cell_is_a_problem(table: str) -> None:
    names = REQUIRED[table]
    row = ",".join(['" "'] * len(names))

    assert problems(table, f"{','.join(names)}\n{row}\n") == [
        f"line 2: {name} is empty" for name in names
    ]


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("longitude", "NaN", "is not finite"),
        ("longitude", "inf", "is not finite"),
        ("longitude", "-Infinity", "is not finite"),
        ("longitude", "1e400", "is not finite"),
        ("longitude", "77;2", "is not a number: '77;2'"),
        ("longitude", "180.0001", "must be between -180 and 180"),
        ("longitude", "-181", "must be between -180 and 180"),
        ("latitude", "90.1", "must be between -90 and 90"),
        ("latitude", "-91", "must be between -90 and 90"),
        ("latitude", "28,6", "must be between -90 and 90"),
        ("ticketcount", "1.5", "is not a whole number: '1.5'"),
        ("ticketcount", "2147483648", "is out of range"),
        ("ticketcount", "-2147483649", "is out of range"),
        ("ticketcount", "9" * 5000, "is not a whole number: '" + "9" * 40 + "'"),
        ("name", "x" * 1001, "is longer than 1000 characters"),
        ("name", "a\0b", "holds a control character"),
        ("name", "a\tb", "holds a control character"),
        ("name", "\x1b[31m", "holds a control character"),
    ],
)
def test_bad_cell_of_the_register_is_named(column: str, cell: str, words: str) -> None:
    text = f'serialnumber,{column}\nA,"{cell.replace("28,6", "286")}"\n'

    assert problems("register", text) == [f"line 2: {column} {words}"]


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("kind", "Gauge", "must be gauge, counter, state, text or date"),
        ("decimals", "13", "must be between 0 and 12"),
        ("decimals", "-1", "must be between 0 and 12"),
        ("decimals", "two", "is not a whole number: 'two'"),
        ("range_low", "nan", "is not finite"),
        ("range_high", "high", "is not a number: 'high'"),
        ("rate_max_per_s", "inf", "is not finite"),
    ],
)
def test_bad_cell_of_a_parameter_is_named(column: str, cell: str, words: str) -> None:
    text = f"param_tag_code,parameter_name,{column}\nF,Flow,{cell}\n"

    assert problems("parameters", text) == [f"line 2: {column} {words}"]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("longitude", "180"),
        ("longitude", "-180"),
        ("latitude", "90"),
        ("latitude", "-90"),
        ("ticketcount", "2147483647"),
        ("ticketcount", "-2147483648"),
        ("name", "x" * 1000),
    ],
)
def test_cell_on_its_bound_is_taken(column: str, cell: str) -> None:
    assert problems("register", f"serialnumber,{column}\nA,{cell}\n") == []


def test_every_bad_cell_of_a_line_is_named() -> None:
    assert problems("register", REGISTER_HEAD + ",x,NaN,91,many\n") == [
        "line 2: longitude is not finite",
        "line 2: latitude must be between -90 and 90",
        "line 2: ticketcount is not a whole number: 'many'",
        "line 2: serialnumber is empty",
    ]


def test_bad_line_does_not_cost_the_good_ones() -> None:
    found = read("register", "serialnumber,latitude\nA,1\nB,91\nC,2\n")

    assert [row["serialnumber"] for row in found.rows] == ["A", "C"]
    assert found.lines == [2, 4]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('serialnumber\nA\n"B\n', "line 3: is not CSV"),
        ('serialnumber\nA\n"B"x\n', "line 3: is not CSV"),
        ('"serialnumber\n', "line 1: is not CSV"),
        ("serialnumber\n" + "x" * 200_000 + "\n", "line 2: is not CSV"),
    ],
)
def test_text_that_is_not_csv_is_named_with_its_line(text: str, line: str) -> None:
    (problem,) = problems("register", text)

    assert problem.startswith(line)


def test_problems_are_bounded_and_each_has_a_line() -> None:
    found = read("register", "serialnumber,latitude\n" + "A,91\n" * 10_000)

    assert len(found.problems) == MAX_PROBLEMS + 1
    assert all(re.match(r"line \d+: ", problem) for problem in found.problems[:-1])
    assert found.problems[-1] == "more problems follow; mend these first"


def test_every_table_has_its_key_among_its_required_columns() -> None:
    assert set(COLUMNS) == set(REQUIRED) == set(KEYS)
    assert all(set(KEYS[table]) <= set(REQUIRED[table]) for table in COLUMNS)
    assert all(set(REQUIRED[table]) <= set(COLUMNS[table]) for table in COLUMNS)
