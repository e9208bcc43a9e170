"""Non-revenue water scored: on years of district flows, on the simulated plant, on leak places."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Final

from ic3.evaluation import district_folder
from ic3.evaluation.district_alarms import (
    Matched,
    RunAlarm,
    calendar_alarms,
    found_within,
    hourly_alarms,
    match,
    nightly_alarms,
    panels,
)
from ic3.evaluation.district_plant import plant_scores, spells
from ic3.evaluation.district_years import DistrictYear, simulate
from ic3.evaluation.figures import draw
from ic3.evaluation.leak_places import (
    LEAKS,
    NEAR_M,
    blind_share,
    distances_m,
    model_library,
    slopes_library,
)
from ic3.evaluation.report import Score

AREA: Final = "non-revenue water"
# None of these years was seen while the alarms were tuned.
UNSEEN_SEEDS: Final = range(5000, 5008)
PLANT_SEED: Final = 1
PLACES_SEED: Final = 1
SOON_H: Final = 18
SOON_SHARE: Final = 6 / 8
FOUND_SHARE: Final = 15 / 19
ABRUPT_DAYS: Final = 2.0
NEAR_SHARES: Final = {1: 28 / 33, 3: 22 / 33}


def found(folder: Path) -> bool:
    """Always: simulated years and the plant need no file."""
    return True


def evaluate(folder: Path, *, out: Path, say: Callable[[str], None]) -> list[Score]:
    """All scores of non-revenue water; a figure (PNG) for each set of district flows."""
    scores: list[Score] = []
    for each in district_folder.folders(folder):
        say(f"{AREA}: {each}")
        year = district_folder.read(each)
        scores += year_scores([year], year.name, are_goals=True)
        _draw(year, out / f"eval-districts-{year.name}.png", say)
    say(f"{AREA}: {len(UNSEEN_SEEDS)} simulated years")
    years = [simulate(seed) for seed in UNSEEN_SEEDS]
    scores += year_scores(years, f"{len(years)} simulated years", are_goals=False)
    _draw(years[0], out / "eval-districts-simulated.png", say)
    say(f"{AREA}: the plant's districts in four seasons")
    scores += plant_scores(spells(PLANT_SEED))
    say(f"{AREA}: places of leaks")
    return scores + _place_scores()


def year_scores(years: Sequence[DistrictYear], data: str, *, are_goals: bool) -> list[Score]:
    """Both alarms on years of one kind, and as many alarms by calendar beside them.

    Args:
        years: Scored each on its own; figures are means of a year.
        data: What to call them.
        are_goals: Whether the goals hold for them: they are those of a real year.
    """
    return _nightly_scores(years, data, are_goals=are_goals) + _hourly_scores(
        years, data, are_goals=are_goals
    )


def _nightly_scores(years: Sequence[DistrictYear], data: str, *, are_goals: bool) -> list[Score]:
    runs = [_run(year, nightly_alarms) for year in years]
    blind = [_blind(year, run) for year, run in zip(years, runs, strict=True)]
    number, hits, false = _means(runs)
    _, blind_hits, blind_false = _means(blind)
    delays = {kind: _delay_days(runs, kind) for kind in ("abrupt", "incipient")}
    goal = max(1, round(FOUND_SHARE * number))
    is_found, is_quiet = hits >= goal, false <= 1
    note = f"of {number:.3g} that began; an alarm hits one leak, until repair or 14 days past peak"
    return [
        Score(
            area=AREA, data=data, figure="nightly: new leaks found", value=hits, blind=blind_hits,
            goal=f"≥ {goal} at ≤ 1 false" if are_goals else "",
            met=is_found and is_quiet if are_goals else None, note=note,
        ),
        Score(
            area=AREA, data=data, figure="nightly: false alarms", value=false, blind=blind_false,
            goal="≤ 1" if are_goals else "", met=is_quiet if are_goals else None,
            note="blind: as many alarms, evenly over the year, by the districts' inflow",
        ),
        Score(
            area=AREA, data=data, figure="nightly: median days to find an abrupt leak",
            value=delays["abrupt"], goal=f"≤ {ABRUPT_DAYS:g}" if are_goals else "",
            met=_at_most(delays["abrupt"], ABRUPT_DAYS) if are_goals else None,
        ),
        Score(
            area=AREA, data=data, figure="nightly: median days to find a growing leak",
            value=delays["incipient"],
        ),
    ]  # fmt: skip


def _hourly_scores(years: Sequence[DistrictYear], data: str, *, are_goals: bool) -> list[Score]:
    runs = [_run(year, hourly_alarms) for year in years]
    blind = [_blind(year, run) for year, run in zip(years, runs, strict=True)]
    number = fmean(sum(leak.kind == "abrupt" for leak in run.new_leaks) for run in runs)
    soon = fmean(found_within(run, SOON_H) for run in runs)
    false = fmean(run.false_alarms for run in runs)
    goal = max(1, round(SOON_SHARE * number))
    return [
        Score(
            area=AREA, data=data, figure=f"hourly: abrupt leaks found within {SOON_H} h",
            value=soon, blind=fmean(found_within(run, SOON_H) for run in blind),
            goal=f"≥ {goal}, none false" if are_goals else "",
            met=soon >= goal and not false if are_goals else None,
            note=f"of {number:.3g} that began",
        ),
        Score(
            area=AREA, data=data, figure="hourly: false alarms", value=false,
            blind=fmean(run.false_alarms for run in blind),
            goal="0" if are_goals else "", met=not false if are_goals else None,
            note="hits of growing leaks are not false",
        ),
    ]  # fmt: skip


def _run(year: DistrictYear, alarms: RunAlarm) -> Matched:
    return match(year, [each for dma in year.dmas for each in alarms(year, dma)])


def _blind(year: DistrictYear, run: Matched) -> Matched:
    """The calendar with as many alarms as the run had."""
    return match(year, calendar_alarms(year, len(run.hits) + run.false_alarms))


def _means(runs: Sequence[Matched]) -> tuple[float, float, float]:
    """New leaks, those found, false alarms of a year."""
    return (
        fmean(len(run.new_leaks) for run in runs),
        fmean(len(run.new_hits) for run in runs),
        fmean(run.false_alarms for run in runs),
    )


def _delay_days(runs: Sequence[Matched], kind: str) -> float | None:
    delays = [each for run in runs for each in run.delays_days(kind)]
    return median(delays) if delays else None


def _at_most(value: float | None, limit: float) -> bool | None:
    return None if value is None else value <= limit


def _draw(year: DistrictYear, path: Path, say: Callable[[str], None]) -> None:
    draw(panels(year), path, score="night inflow, m³/h; dotted: begin of a leak", say=say)


def _place_scores() -> list[Score]:
    return [
        _place_score(at_once, distances_m(PLACES_SEED, library, at_once=at_once), way)
        for way, library in (
            ("whole solves", model_library(PLACES_SEED)),
            ("slopes, as live", slopes_library(PLACES_SEED)),
        )
        for at_once in NEAR_SHARES
    ]  # fmt: skip


def _place_score(at_once: int, far_m: Sequence[float], way: str) -> Score:
    """Leaks of which the best candidate lies within 300 m."""
    near = sum(each <= NEAR_M for each in far_m)
    goal = round(NEAR_SHARES[at_once] * LEAKS)
    others = "" if at_once == 1 else f", {at_once - 1} others running"
    return Score(
        area=AREA, data=f"{LEAKS} simulated leaks{others}",
        figure=f"placed within {NEAR_M:g} m, {way}",
        value=near, blind=LEAKS * blind_share(PLACES_SEED), goal=f"≥ {goal}", met=near >= goal,
        note="8 m3/h, 33 pressure points, 784 candidates, 7 nights, 20 % demand noise, 10 % error"
        " of roughness; no sensor bias: optimistic",
    )  # fmt: skip
