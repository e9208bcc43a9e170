"""The past of an asset over HTTP."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
import pytest
from serving import NOW, PANEL, ZONE, Answer, Site, serving

from ic3.store.register import RegisterStore
from ic3.store.rollups import RollupStore

DAY: Final = {"from": "2026-06-13T00:00:00+05:30", "to": "2026-06-14T00:00:00+05:30"}
ROWS: Final = """
INSERT INTO ic3_asset_monitoring_data
    (asset_id, tag_code, param_id, value_num, value_text, recorded_at, quality)
SELECT a.asset_id, %s, p.param_id, given.value, given.words, given.at, given.quality
FROM unnest(%s::timestamptz[], %s::float8[], %s::text[], %s::int[])
        AS given (at, value, words, quality),
    ic3_asset_master a, ic3_parameter_master p
WHERE a.serialnumber = %s AND p.param_tag_code = %s
"""
EMPTY: Final = """
DELETE FROM ic3_asset_monitoring_data; DELETE FROM ic3_rollup_5m; DELETE FROM ic3_rollup_1h;
DELETE FROM ic3_rollup_dirty
"""
MARK_ALL: Final = """
INSERT INTO ic3_rollup_dirty (bucket_at)
SELECT DISTINCT date_bin('5 minutes', recorded_at, 'epoch') FROM ic3_asset_monitoring_data
"""
REGISTER: Final[dict[str, list[dict[str, object]]]] = {
    "register": [{"serialnumber": PANEL}, {"serialnumber": "=cmd|' /C calc'!A0"}],
    "parameters": [
        {"param_tag_code": "FLOW", "parameter_name": "Flow", "unit": "m³/h", "kind": "gauge"},
        {"param_tag_code": "VOLUME", "parameter_name": "Volume", "unit": "m³", "kind": "counter",
         "range_high": 1000},
        {"param_tag_code": "MODE", "parameter_name": "Mode", "kind": "text"},
    ],
    "tagmap": [
        {"serialnumber": PANEL, "tag_code": tag, "param_tag_code": tag}
        for tag in ("FLOW", "VOLUME", "MODE")
    ],
}  # fmt: skip


class Past:
    """A server, and what its database is filled with."""

    def __init__(self, site: Site, dsn: str) -> None:
        self.site = site
        self._dsn = dsn

    def add(
        self, tag: str, readings: dict[str | datetime, float | None], *, serial: str = PANEL,
        words: str | None = None, quality: int = 0,
    ) -> None:  # fmt: skip
        number = len(readings)
        with psycopg.connect(self._dsn) as connection:
            connection.execute(
                ROWS,
                (tag, list(map(str, readings)), list(readings.values()), [words] * number,
                 [quality] * number, serial, tag),
            )  # fmt: skip
            connection.execute(MARK_ALL)

    async def roll_up(self) -> None:
        store = RollupStore(self.site.database, zone=ZONE, raw_days=3)
        while await store.roll_up(NOW) is not None:
            pass

    async def ask(self, **parameters: object) -> Answer:
        wanted = {"serial_number": PANEL, **DAY, **parameters}
        return await self.site.get(f"/api/monitoring/history?{urlencode(wanted)}")

    async def series(self, tag: str, **parameters: object) -> dict[str, Any]:
        answer = await self.ask(tag_code=tag, **parameters)
        assert answer.status == 200, answer.body
        (found,) = answer.json()["series"]
        return dict(found)

    async def points(self, tag: str, **parameters: object) -> list[dict[str, Any]]:
        return list((await self.series(tag, **parameters))["points"])


@pytest.fixture
async def past(dsn: str) -> AsyncIterator[Past]:
    with psycopg.connect(dsn) as connection:
        connection.execute(EMPTY)
    async with serving(dsn) as site:
        await RegisterStore(site.database).import_rows(REGISTER)
        yield Past(site, dsn)


async def test_raw_readings_come_with_time_value_and_quality(past: Past) -> None:
    past.add("FLOW", {"2026-06-13T06:00:00.123456+05:30": 2.5})
    past.add("FLOW", {"2026-06-13T06:00:15+05:30": 3}, quality=1)
    past.add("MODE", {"2026-06-13T06:00:00+05:30": None}, words="auto", quality=2)
    answer = await past.ask(bucket="raw")
    assert answer.status == 200
    assert answer.json() == {
        "serial_number": PANEL, "asset_id": answer.json()["asset_id"],
        "from": "2026-06-12T18:30:00.000000Z", "to": "2026-06-13T18:30:00.000000Z",
        "bucket": "raw", "agg": [], "zone": "Asia/Kolkata", "downsampled": False,
        "series": [
            {"tag_code": "FLOW", "parameter_name": "Flow", "param_tag_code": "FLOW",
             "unit": "m³/h", "count": 2, "downsampled": False, "from_points": 2, "points": [
                {"at": "2026-06-13T00:30:00.123456Z", "percent_good": 100.0, "value_num": 2.5,
                 "value_text": None, "quality": "GOOD"},
                {"at": "2026-06-13T00:30:15.000000Z", "percent_good": 0.0, "value_num": 3.0,
                 "value_text": None, "quality": "UNCERTAIN"}]},
            {"tag_code": "MODE", "parameter_name": "Mode", "param_tag_code": "MODE",
             "unit": None, "count": 1, "downsampled": False, "from_points": 1, "points": [
                {"at": "2026-06-13T00:30:00.000000Z", "percent_good": 0.0, "value_num": None,
                 "value_text": "auto", "quality": "BAD"}]},
        ],
    }  # fmt: skip


async def test_from_is_inside_and_to_is_outside(past: Past) -> None:
    past.add("FLOW", {DAY["from"]: 1, "2026-06-13T23:59:59.999999+05:30": 2, DAY["to"]: 3})
    assert [each["value_num"] for each in await past.points("FLOW", bucket="raw")] == [1, 2]
    # Other lists say `until`.
    same = await past.points("FLOW", bucket="raw", to="", until=DAY["to"])
    assert [each["value_num"] for each in same] == [1, 2]


async def test_a_page_ends_anywhere_and_nothing_is_lost_or_doubled(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.store.history.PAGE_ROWS", 2)
    begin = datetime(2026, 6, 13, tzinfo=UTC)
    times: dict[str | datetime, float | None] = {
        begin + timedelta(seconds=number): number for number in range(5)
    }
    past.add("FLOW", times)
    past.add("VOLUME", times)
    answer = await past.ask(bucket="raw")
    for series in answer.json()["series"]:
        assert [each["value_num"] for each in series["points"]] == [0, 1, 2, 3, 4]


async def test_readings_before_and_after_a_long_silence_are_there(past: Past) -> None:
    times = ["2026-06-01T00:00:00Z", "2026-06-13T23:59:59.999999Z", "2026-06-14T00:00:00Z"]
    past.add("FLOW", dict.fromkeys(times, 1.0))
    period = {"from": "2026-05-20T12:00:00Z", "to": "2026-06-20T00:00:00Z"}
    points = await past.points("FLOW", bucket="raw", **period)
    assert [each["at"][:19] for each in points] == [each[:19] for each in times]


ALL: Final = "mean,min,max,last,first,count,sum,increase,percent_good"


@pytest.mark.parametrize("rolled_up", [True, False])
async def test_five_minutes_say_every_aggregate(past: Past, rolled_up: bool) -> None:
    """The newest minutes are made of the readings, older ones of the roll-ups: the same."""
    at = "2026-06-13T06:0" if rolled_up else "2026-06-15T07:1"
    past.add("FLOW", {f"{at}0:00+05:30": 2, f"{at}4:59+05:30": 5})
    past.add("FLOW", {f"{at}1:00+05:30": 4}, quality=1)
    past.add("FLOW", {f"{at}2:00+05:30": 1000}, quality=2)
    if rolled_up:
        await past.roll_up()
    period = {"from": f"{at}0:00+05:30", "to": f"{at}5:00+05:30"}
    (point,) = await past.points("FLOW", bucket="5m", agg=ALL, **period)
    at_utc = "2026-06-13T00:30:00Z" if rolled_up else "2026-06-15T01:40:00Z"
    assert point == {
        "at": at_utc, "percent_good": 50.0, "mean": pytest.approx(11 / 3), "min": 2, "max": 5,
        "last": 5, "first": 2, "count": 4, "sum": 11, "increase": None,
    }  # fmt: skip


async def test_a_bucket_without_data_is_absent(past: Past) -> None:
    past.add("FLOW", {"2026-06-13T06:00:00+05:30": 2, "2026-06-13T09:00:00+05:30": 0})
    await past.roll_up()
    assert [(each["at"], each["mean"]) for each in await past.points("FLOW", bucket="1h")] == [
        ("2026-06-13T06:00:00+05:30", 2), ("2026-06-13T09:00:00+05:30", 0),
    ]  # fmt: skip


async def test_days_weeks_and_months_begin_as_the_plants_calendar_says(past: Past) -> None:
    edge = datetime(2026, 6, 14, 18, 30, tzinfo=UTC)  # Monday in Delhi
    past.add("FLOW", {edge - timedelta(microseconds=1): 1, edge: 3, edge + timedelta(hours=2): 5})
    await past.roll_up()
    period = {"from": "2026-06-14T12:00:00+05:30", "to": "2026-06-15T12:00:00+05:30"}

    async def means(bucket: str) -> dict[str, float]:
        points = await past.points("FLOW", bucket=bucket, **period)
        return {each["at"]: each["mean"] for each in points}

    monday, sunday = "2026-06-15T00:00:00+05:30", "2026-06-14T00:00:00+05:30"
    assert await means("day") == {sunday: 1, monday: 4}
    assert await means("week") == {"2026-06-08T00:00:00+05:30": 1, monday: 4}
    assert await means("month") == {"2026-06-01T00:00:00+05:30": 3}


async def test_an_edge_bucket_is_whole(past: Past) -> None:
    past.add("FLOW", {"2026-06-13T06:00:00+05:30": 1, "2026-06-13T06:59:00+05:30": 3})
    await past.roll_up()
    period = {"from": "2026-06-13T06:30:00+05:30", "to": "2026-06-13T06:31:00+05:30"}
    answer = (await past.ask(tag_code="FLOW", bucket="1h", **period)).json()
    assert answer["series"][0]["points"][0]["mean"] == 2
    assert (answer["from"], answer["to"]) == (
        "2026-06-13T06:00:00+05:30", "2026-06-13T07:00:00+05:30",
    )  # fmt: skip


async def test_an_increase_is_counted_from_the_value_before_the_bucket(past: Past) -> None:
    past.add(
        "VOLUME",
        {"2026-06-13T05:10:00+05:30": 900, "2026-06-13T06:00:00+05:30": 950,
         "2026-06-13T06:03:00+05:30": 990, "2026-06-13T06:07:00+05:30": 20,
         "2026-06-13T08:00:00+05:30": 5, "2026-06-13T08:30:00+05:30": 6},
    )  # fmt: skip
    await past.roll_up()
    hours = await past.points("VOLUME", bucket="1h", agg="increase")
    assert [(each["at"][11:13], each["increase"], each.get("resets", 0)) for each in hours] == [
        ("05", 0, 0), ("06", 120, 0), ("08", 6, 1),
    ]  # fmt: skip
    period = {"from": "2026-06-13T06:00:00+05:30", "to": "2026-06-13T06:10:00+05:30"}
    minutes = await past.points("VOLUME", bucket="5m", agg="increase", **period)
    assert [each["increase"] for each in minutes] == [90, 30]
    (day,) = await past.points("VOLUME", bucket="day", agg="increase")
    assert day["increase"] == sum(each["increase"] for each in hours)


async def test_the_newest_minutes_are_there_before_they_are_rolled_up(past: Past) -> None:
    past.add("VOLUME", {NOW - timedelta(minutes=12): 10, NOW - timedelta(minutes=8): 20})
    await past.roll_up()
    past.add("VOLUME", {NOW - timedelta(seconds=30): 40, NOW - timedelta(seconds=5): 45})
    for bucket in ("1h", "day", "month"):
        (point,) = await past.points(
            "VOLUME", bucket=bucket, agg="count,increase", to="2026-06-15T08:00:00+05:30",
            **{"from": "2026-06-15T07:00:00+05:30"},
        )  # fmt: skip
        assert (point["count"], point["increase"]) == (4, 35)


async def test_more_points_than_asked_for_keep_their_shape_and_say_so(past: Past) -> None:
    begin = datetime(2026, 6, 13, tzinfo=UTC)
    values: dict[str | datetime, float | None] = {
        begin + timedelta(seconds=15 * n): float(n % 7) for n in range(500)
    }
    values[begin + timedelta(seconds=15 * 333)] = 99.0
    values[begin + timedelta(seconds=15 * 77)] = -99.0
    past.add("FLOW", values)
    series = await past.series("FLOW", bucket="raw", max_points=40)
    assert (series["downsampled"], series["from_points"]) == (True, 500)
    assert series["count"] == len(series["points"]) <= 40
    numbers = [each["value_num"] for each in series["points"]]
    assert {99.0, -99.0} <= set(numbers)
    assert numbers[0] == 0.0
    assert numbers[-1] == 499 % 7


async def test_automatic_buckets_fit_the_points_asked_for(past: Past) -> None:
    async def bucket(**period: str) -> str:
        found = (await past.ask(max_points=1000, **period)).json()["bucket"]
        assert isinstance(found, str)
        return found

    begin = "2026-01-01T00:00:00+05:30"
    for end, expected in {
        "2026-01-01T01:00:00+05:30": "raw", "2026-01-03T00:00:00+05:30": "5m",
        "2026-02-01T00:00:00+05:30": "hour", "2027-01-01T00:00:00+05:30": "day",
        "2030-01-01T00:00:00+05:30": "week",
    }.items():  # fmt: skip
        assert await bucket(**{"from": begin, "to": end}) == expected


async def test_an_unknown_serial_number_has_an_empty_past(past: Past) -> None:
    for serial in ("nobody", "'; DROP TABLE ic3_user; --", "nul\0"):
        answer = await past.ask(serial_number=serial)
        assert answer.status == 200
        assert (answer.json()["asset_id"], answer.json()["series"]) == (None, [])


async def test_a_tag_asked_for_by_name_is_there_without_data_too(past: Past) -> None:
    answer = await past.ask(tag_code="VOLUME,nowhere")
    assert [(each["tag_code"], each["unit"], each["points"]) for each in answer.json()["series"]] \
        == [("VOLUME", "m³", []), ("nowhere", None, [])]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ({"to": "2026-08-01T00:00:00Z", "bucket": "raw"},
         "from, to: 49.2 days; a request for bucket=raw may span 31 days: ask for that or less or a"
         " wider bucket, such as 5m"),
        ({"to": "2036-08-01T00:00:00Z", "bucket": "5m"},
         "from, to: 3,702.2 days; a request for bucket=5m may span 694 days: ask for that or less"
         " or a wider bucket, such as hour"),
        ({"from": ""}, "from: required, such as 2026-06-15T00:00:00+05:30"),
        ({"to": "2026-06-14T00:00:00"},
         "to: must be a time with its zone, such as 2026-06-15T00:00:00+05:30"),
        ({"to": "9999-12-31T00:00:00Z"}, "to: must lie between the years 2000 and 2200"),
        ({"to": DAY["from"]},
         "to: must be later than from, which is inside while to is outside"),
        ({"bucket": "fortnight"},
         "bucket: must be auto or one of raw, 5m, hour, day, week, month, 1h, local hour, 1d"),
        ({"agg": "mean,median"},
         "agg: must be some of mean, min, max, last, first, count, sum, increase, percent_good,"
         " separated by commas"),
        ({"max_points": 10_001}, "max_points: must be between 4 and 10000"),
        ({"format": "xml"}, "format: must be json or csv"),
        ({"tag_code": ",".join(map(str, range(51)))}, "tag_code: 51 tags; a request may name 50"),
        ({"tag_code": ",".join(map(str, range(50))), "max_points": 5000},
         "21 tags of 5,000 points are more than 100,000 an answer; name fewer tags, or"
         " max_points=4761 or less"),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_refused_and_says_what_would_fit(
    past: Past, parameters: dict[str, object], detail: str
) -> None:
    answer = await past.ask(**parameters)
    assert answer.status == 422
    assert answer.header("content-type") == "application/problem+json"
    assert (answer.json()["error"], answer.json()["detail"]) == ("history refused", detail)


async def test_without_a_serial_number_the_answer_is_as_of_the_live_readings(past: Past) -> None:
    answer = await past.site.get("/api/monitoring/history")
    assert (answer.status, answer.json()["error"]) == (400, "serial_number required")


async def test_without_the_database_the_past_is_away(site: Site) -> None:
    wanted = urlencode({"serial_number": PANEL, **DAY})
    answer = await site.get(f"/api/monitoring/history?{wanted}")
    assert (answer.status, answer.json()["error"]) == (503, "database away")


async def test_a_question_that_takes_too_long_is_refused(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.store.history.HistoryStore._fetch", _slow)
    answer = await past.ask(bucket="raw")
    assert answer.status == 422
    assert answer.json()["detail"].startswith("the database took longer than a request may")


async def _slow(store: Any, *_: object) -> list[tuple[Any, ...]]:
    async with store._database.connection() as connection:
        await connection.execute("SET LOCAL statement_timeout = 1")
        await connection.execute("SELECT pg_sleep(1)")
    return []


def table(answer: Answer) -> list[list[str]]:
    assert answer.status == 200, answer.body
    return list(csv.reader(io.StringIO(answer.body.decode(), newline="")))


async def test_csv_holds_every_point_of_a_raw_history(past: Past) -> None:
    begin = datetime(2026, 6, 13, tzinfo=UTC)
    past.add("FLOW", {begin + timedelta(seconds=n): n / 2 for n in range(9000)})
    answer = await past.ask(bucket="raw", format="csv")
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    assert answer.header("content-disposition") == 'attachment; filename="history.csv"'
    assert answer.body.startswith(
        b"serial_number,tag_code,parameter_name,unit,recorded_at,value_num,value_text,quality\r\n"
    )
    heading, *rows = table(answer)
    assert len(rows) == 9000
    assert rows[1] == [PANEL, "FLOW", "Flow", "m³/h", "2026-06-13T00:00:01.000000Z", "0.5", "",
                       "GOOD"]  # fmt: skip
    fewer = table(await past.ask(bucket="raw", format="csv", max_points=100))
    assert fewer[0] == heading
    assert 1 < len(fewer) <= 101


async def test_csv_of_buckets_has_a_column_for_each_aggregate(past: Past) -> None:
    past.add("FLOW", {"2026-06-13T06:00:00+05:30": 1, "2026-06-13T06:59:00+05:30": -3})
    await past.roll_up()
    answer = await past.ask(bucket="1h", format="csv", agg="max,percent_good,min")
    assert table(answer) == [
        ["serial_number", "tag_code", "parameter_name", "unit", "bucket_at", "percent_good", "max",
         "min"],
        [PANEL, "FLOW", "Flow", "m³/h", "2026-06-13T06:00:00+05:30", "100.0", "1.0", "-3.0"],
    ]  # fmt: skip


async def test_no_spreadsheet_runs_what_the_plant_wrote(past: Past) -> None:
    evil = "=cmd|' /C calc'!A0"
    at = "2026-06-13T06:00:00+05:30"
    past.add("MODE", {at: None}, serial=evil, words='@SUM(1+1)*"x",\r\n')
    answer = await past.ask(serial_number=evil, bucket="raw", format="csv")
    (_, row) = table(answer)
    assert (row[0], row[6]) == ("'" + evil, '\'@SUM(1+1)*"x",\r\n')


async def test_csv_of_an_unknown_serial_number_is_its_headings(past: Past) -> None:
    assert len(table(await past.ask(serial_number="nobody", format="csv"))) == 1
