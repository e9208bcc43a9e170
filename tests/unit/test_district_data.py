"""District flows: simulated years, files, matching, and alarms that know no future."""

from pathlib import Path

import numpy as np
import pytest

from ic3.analytics.inflow import DAY_S, HOUR_S, Readings
from ic3.errors import InputError
from ic3.evaluation.district_alarms import Alarm, hourly_alarms, match, nightly_alarms
from ic3.evaluation.district_folder import folders, read
from ic3.evaluation.district_years import START_S, DistrictYear, Leak, simulate
from ic3.evaluation.districts import year_scores

DEFINITION = """[{"dma_id": "A", "name": "Old town", "valid_from": "2019-01-01T00:00:00Z",
  "zone": "Europe/Athens", "meters": [{"serial": "in", "tag": "FLOW"}],
  "tanks": [{"serial": "T1", "tag": "LEVEL", "area_m2": 200}]}]"""
SERIES = """time_local;in;T1:LEVEL;other
2019-01-01 02:00;60.5;2.5;x
2019-01-01 02:05;61.5;;
2019-01-01 02:15;62.5;2.6;
"""
LEAKS = """dma_id;start;peak;end;size_m3_h;kind
A;2019-01-01 02:05;;2019-02-01 00:00;7.5;abrupt
A;2019-01-01 02:10;2019-03-01 00:00;;11;incipient
"""


def folder(tmp_path: Path, **changed: str) -> Path:
    files = {"dma.json": DEFINITION, "series.csv": SERIES, "leaks.csv": LEAKS}
    for name, text in {**files, **changed}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def leak(start_d: float, peak_d: float, end_d: float, dma_id: str = "A") -> Leak:
    return Leak(
        dma_id=dma_id, start_s=START_S + round(start_d * DAY_S),
        peak_s=START_S + round(peak_d * DAY_S),
        end_s=START_S + round(end_d * DAY_S), size_m3_h=10.0,
        kind="abrupt" if start_d == peak_d else "incipient",
    )  # fmt: skip


def alarm(at_d: float, dma_id: str = "A") -> Alarm:
    return Alarm(dma_id, START_S + round(at_d * DAY_S))


def year_of(*leaks: Leak) -> DistrictYear:
    at_s = START_S + np.arange(200 * 24, dtype=np.int64) * HOUR_S
    return DistrictYear("by hand", (), Readings(at_s, {}), leaks)


def cut(year: DistrictYear, hours: int) -> DistrictYear:
    values = {name: series[:hours] for name, series in year.readings.values.items()}
    readings = Readings(year.readings.at_s[:hours], values)
    return DistrictYear(year.name, year.dmas, readings, year.leaks, year.holidays)


def test_alarm_hits_one_leak_and_the_next_is_false() -> None:
    found = match(year_of(leak(10, 10, 50)), [alarm(11), alarm(12)])
    assert len(found.hits) == 1
    assert found.false_alarms == 1


def test_alarm_in_another_dma_or_before_the_leak_is_false() -> None:
    found = match(year_of(leak(10, 10, 50)), [alarm(9), alarm(11, "B")])
    assert found.hits == ()
    assert found.false_alarms == 2


@pytest.mark.parametrize(("at_d", "hits"), [(49.0, 1), (51.0, 0)])
def test_leak_can_be_hit_until_its_repair(at_d: float, hits: int) -> None:
    assert len(match(year_of(leak(10, 45, 50)), [alarm(at_d)]).hits) == hits


@pytest.mark.parametrize(("at_d", "hits"), [(58.0, 1), (60.0, 0)])
def test_leak_can_be_hit_until_14_days_past_its_peak(at_d: float, hits: int) -> None:
    assert len(match(year_of(leak(10, 45, 400)), [alarm(at_d)]).hits) == hits


def test_leak_from_before_is_neither_counted_nor_false() -> None:
    found = match(year_of(leak(-3, -3, 50)), [alarm(1)])
    assert found.new_hits == []
    assert found.false_alarms == 0


def test_alarm_right_after_a_burst_is_of_the_burst() -> None:
    burst, growing = leak(20, 20, 90), leak(10, 18, 60)
    found = match(year_of(growing, burst), [alarm(21), alarm(30)])
    assert found.hits == ((burst, alarm(21).at_s), (growing, alarm(30).at_s))


def test_folder_is_found_by_its_files(tmp_path: Path) -> None:
    assert folders(tmp_path) == []
    (tmp_path / "deep").mkdir()
    folder(tmp_path / "deep")
    assert folders(tmp_path) == [tmp_path / "deep"]


def test_series_are_read_in_local_time_with_what_is_missing(tmp_path: Path) -> None:
    year = read(folder(tmp_path))
    # 02:00 in Athens is midnight in London.
    assert year.readings.at_s.tolist() == [1_546_300_800 + 300 * step for step in range(4)]
    np.testing.assert_array_equal(year.readings.values["in:FLOW"], [60.5, 61.5, np.nan, 62.5])
    np.testing.assert_array_equal(year.readings.values["T1:LEVEL"], [2.5, np.nan, np.nan, 2.6])


def test_leaks_are_read_with_their_times(tmp_path: Path) -> None:
    abrupt, growing = read(folder(tmp_path)).leaks
    assert abrupt.start_s == abrupt.peak_s == 1_546_301_100
    assert abrupt.size_m3_h == 7.5
    assert growing.peak_s > growing.start_s
    assert growing.end_s > growing.peak_s


def test_holidays_are_read_where_there_are_any(tmp_path: Path) -> None:
    year = read(folder(tmp_path, **{"holidays.csv": "date\n2019-01-06\n"}))
    assert year.holidays == {17_902}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("series.csv", SERIES.replace("time_local", "when"), "first column is 'when'"),
        ("series.csv", SERIES.replace("60.5", "sixty"), "'sixty' is no number"),
        ("series.csv", SERIES.replace("02:05", "01:05"), "do not rise in row 3"),
        ("series.csv", SERIES.replace(";in;", ";out;"), "no tag in:FLOW"),
        ("series.csv", SERIES.replace("2019-01-01 02:00", "new year"), "'new year' is no time"),
        ("leaks.csv", LEAKS.replace("abrupt", "sudden"), "row 2: 'sudden' is missing or unknown"),
        ("leaks.csv", LEAKS.replace("A;", "Z;"), "row 2: no DMA 'Z' is defined"),
        ("dma.json", "[]", "defines no DMA"),
        ("holidays.csv", "easter", "no date"),
    ],
)
def test_file_of_another_form_is_refused_in_words(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read(folder(tmp_path, **{name: text}))


def test_same_seed_gives_the_same_year() -> None:
    first, second = simulate(7), simulate(7)
    assert first.leaks == second.leaks
    np.testing.assert_array_equal(first.readings.values["A:FLOW"], second.readings.values["A:FLOW"])


@pytest.mark.parametrize("days", [97, 211])
def test_cutting_the_future_changes_no_past_alarm(days: int) -> None:
    year = simulate(11)
    part = cut(year, days * 24)
    end_s = part.readings.end_s
    for alarms in (nightly_alarms, hourly_alarms):
        whole = [each for each in alarms(year, year.dmas[0]) if each.at_s <= end_s]
        assert alarms(part, part.dmas[0]) == whole


def test_scores_of_unseen_years_have_not_fallen() -> None:
    years = [simulate(seed) for seed in (5000, 5001, 5003)]
    values = {each.figure: each.value for each in year_scores(years, "", are_goals=False)}
    assert values["nightly: new leaks found"] == pytest.approx(16.0, abs=1.0)
    assert values["nightly: false alarms"] == pytest.approx(1.0, abs=0.7)
    assert values["hourly: abrupt leaks found within 18 h"] == pytest.approx(7.0, abs=0.7)
    assert values["hourly: false alarms"] == pytest.approx(0.0, abs=0.4)
