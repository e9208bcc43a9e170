"""Commands of the analytics: judge the past; findings, non-revenue water and pumps to read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer

from ic3.cli import app
from ic3.cli.read import AsJson
from ic3.errors import InputError
from ic3.settings import Settings, load

if TYPE_CHECKING:  # loaded where it is used, so that other commands start fast
    from ic3.domain.findings import Finding
    from ic3.store.nrw import OneDistrict
    from ic3.store.pool import Database
    from ic3.store.pump_health import OnePump

MOST_DAYS: Final = 400
SERVER_RUNS: Final = (
    "analytics: a server runs on this database, judges by itself and would write its models over"
    " these; stop it first"
)

analytics_app = typer.Typer(help="Judge stored history.", no_args_is_help=True)
findings_app = typer.Typer(help="Findings of the analytics, newest first; or one of them.")
nrw_app = typer.Typer(help="Non-revenue water by district; or one of them.")
pumps_app = typer.Typer(help="The health of pumps, worst first; or one of them.")
app.add_typer(analytics_app, name="analytics")
app.add_typer(findings_app, name="findings")
app.add_typer(nrw_app, name="nrw")
app.add_typer(pumps_app, name="pumps")

Number = Annotated[int, typer.Option("-n", min=1, max=1000, help="How many.")]


class Which(StrEnum):
    """Which worker judges."""

    ANOMALY = "anomaly"
    PUMP_HEALTH = "pump-health"
    NRW = "nrw"


@analytics_app.callback()
def analytics() -> None:
    """Judge stored history."""


@analytics_app.command("run")
def analytics_run(
    begin: Annotated[str, typer.Option("--from", help="RFC 3339 with a zone.")],
    end: Annotated[str, typer.Option("--to", help="RFC 3339 with a zone.")],
    worker: Annotated[
        list[Which] | None, typer.Option("--worker", help="Only this one; may be given again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a past time: models learn from it, days are computed; it opens no finding."""
    settings = load()
    from ic3.cli.connect import put_json, put_table, run

    from_at, until_at = _moment("--from", begin), _moment("--to", end)
    if not timedelta(0) < until_at - from_at <= timedelta(days=MOST_DAYS):
        raise InputError(f"analytics: --from must be before --to, by at most {MOST_DAYS} days")
    with _Progress() as progress:
        found = run(_look_back(settings, from_at, until_at, worker or list(Which), progress))
    if as_json:
        put_json({"runs": found})
        return
    headings = ["worker", "judged", "not computed", "would have opened", "seconds"]
    rows = [
        [each["worker"], str(each["judged"]), str(each["not_computed"]), str(each["opened"]),
         f"{each['seconds']:.1f}"]
        for each in found
    ]  # fmt: skip
    put_table(headings, rows, right={1, 2, 3, 4})


@findings_app.callback(invoke_without_command=True)
def findings(
    context: typer.Context,
    limit: Number = 50,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Findings of the analytics, newest first; or one of them."""
    if context.invoked_subcommand is not None:
        return
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.domain.findings import FindingFilter
    from ic3.store.findings import FindingStore

    async def work() -> "list[Finding]":
        async with opened(settings, only_look=True) as (_, pool):
            wanted = FindingFilter(active=None if everything else True)
            return await FindingStore(pool).page(wanted, limit=limit)

    found = run(work())
    if as_json:
        put_json({"findings": found})
        return
    rows = [
        [
            str(each.id), each.kind.value, each.state.value, f"{each.severity:.1f}",
            f"{each.confidence:.0f}", f"{each.since:%Y-%m-%d %H:%M}Z",
            each.serial_number or each.dma_id or "", each.sentence,
        ]
        for each in found
    ]  # fmt: skip
    headings = ["finding", "kind", "state", "severity", "%", "since (UTC)", "of", "what"]
    put_table(headings, rows, right={0, 3, 4})


@findings_app.command("show")
def findings_show(
    finding_id: Annotated[int, typer.Argument(help="As ic3 findings lists it.")],
    as_json: AsJson = False,
) -> None:
    """One finding and its evidence."""
    settings = load()
    from ic3.cli.connect import opened, put_json, run
    from ic3.store.findings import FindingStore

    async def work() -> "tuple[Finding, Any]":
        async with opened(settings, only_look=True) as (_, pool):
            return await FindingStore(pool).one(finding_id, None)

    finding, evidence = run(work())
    if as_json:
        put_json({"finding": finding, "evidence": evidence})
        return
    shown = ("state", "kind", "cause", "sentence", "severity", "confidence", "opened_at", "since",
             "last_seen_at", "verdict", "work_order_id")  # fmt: skip
    _put_fields("finding", [(name, getattr(finding, name)) for name in shown])


@nrw_app.callback(invoke_without_command=True)
def nrw(context: typer.Context, limit: Number = 100, as_json: AsJson = False) -> None:
    """Non-revenue water by district; or one of them."""
    if context.invoked_subcommand is not None:
        return
    found = _districts(limit=limit)
    from ic3.cli.connect import put_json, put_table

    if as_json:
        put_json({"districts": [each.figures for each in found]})
        return
    rows = []
    for each in (district.figures for district in found):
        night = _figure(each.night_flow.value, 1) or each.night_flow.reason
        rows.append(
            [
                each.dma_id, each.name, _figure(each.nrw_percent.value, 1),
                _figure(each.leak.loss_m3_h, 1), _figure(each.leak.leak_probability, 2),
                _figure(each.leak.burst_probability, 2), f"{each.supply_hours_a_day:.1f}",
                "provisional" if each.provisional else "", night,
            ]
        )  # fmt: skip
    headings = ["district", "name", "NRW %", "loss m3/h", "leak", "burst", "supply h/d", "",
                "night flow m3/h"]  # fmt: skip
    put_table(headings, rows, right={2, 3, 4, 5, 6})


@nrw_app.command("show")
def nrw_show(
    dma_id: Annotated[str, typer.Argument(help="As ic3 nrw lists it.")], as_json: AsJson = False
) -> None:
    """One district with its whole report."""
    found = _districts(limit=1, dma_id=dma_id)
    from ic3.cli.connect import put_json

    if not found:
        raise InputError(f"nrw: there are no figures of {dma_id}; ic3 nrw lists the districts")
    if as_json:
        put_json(found[0])
        return
    figures = found[0].figures
    _put_fields("district", [(name, getattr(figures, name)) for name in figures.__struct_fields__])


@pumps_app.callback(invoke_without_command=True)
def pumps(context: typer.Context, limit: Number = 100, as_json: AsJson = False) -> None:
    """The health of pumps, worst first; or one of them."""
    if context.invoked_subcommand is not None:
        return
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.clock import Clock
    from ic3.domain.pumps import PumpFigures
    from ic3.store.pump_health import PumpStore

    async def work() -> list[PumpFigures]:
        async with opened(settings, only_look=True) as (_, pool):
            pages = PumpStore(pool).pages(None, now=Clock().now(), domain=None, below=None)
            return [each async for page in pages for each in page]

    found = sorted(run(work()), key=lambda each: (each.health is None, each.health or 0.0))[:limit]
    if as_json:
        put_json({"pumps": found})
        return
    rows = [
        [
            each.serial_number, _figure(each.health, 0) or "-", f"{100 * each.coverage:.0f}",
            _figure(each.trend.life.median_days, 0), _figure(each.sec_kwh_m3, 3), each.worst,
        ]
        for each in found
    ]  # fmt: skip
    headings = ["pump", "health", "known %", "days to limit", "kWh/m3", "worst"]
    put_table(headings, rows, right={1, 2, 3, 4})


@pumps_app.command("show")
def pumps_show(
    serial: Annotated[str, typer.Argument(help="Serial number.")], as_json: AsJson = False
) -> None:
    """One pump: every sub-score with its limit or the reason why there is none."""
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run, say
    from ic3.clock import Clock
    from ic3.store.pump_health import PumpStore

    async def work() -> "OnePump":
        async with opened(settings, only_look=True) as (_, pool):
            return await PumpStore(pool).one(None, serial, now=Clock().now())

    found = run(work())
    if as_json:
        put_json(found)
        return
    say(f"{serial}: health {_figure(found.figures.health, 0) or '-'}; {found.figures.worst}")
    rows = [
        [each["name"], _figure(each["score"], 0), _figure(each["value"], 2), each["unit"],
         each["reason"]]
        for each in found.assessment["sub_scores"]
    ]  # fmt: skip
    put_table(["sub-score", "score", "value", "unit", ""], rows, right={1, 2})


class _Progress:
    """A bar a worker on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._bar.stop()

    def begin(self, name: str) -> Any:
        """A bar; answers what is told of its way."""
        task = self._bar.add_task(name, total=None)

        def show(done: int, total: int, at: datetime) -> None:
            self._bar.update(
                task, completed=done, total=total, description=f"{name} to {at:%Y-%m-%d %H:%M}Z"
            )

        return show


async def _look_back(
    settings: Settings, from_at: datetime, until_at: datetime, wanted: Sequence[Which],
    progress: _Progress,
) -> list[dict[str, Any]]:  # fmt: skip
    from ic3.app.database import rollup_store
    from ic3.cli.connect import opened
    from ic3.clock import Clock
    from ic3.domain.mapping import Register
    from ic3.store.presence import no_server_beside
    from ic3.store.register import RegisterStore

    clock = Clock()
    found = []
    async with (
        opened(settings, only_look=True) as (dsn, pool),
        no_server_beside(dsn, refusal=SERVER_RUNS),
    ):
        rollups, show = rollup_store(settings, pool), progress.begin("roll-ups")
        hours = 0
        while await rollups.roll_up(clock.now()) is not None:
            hours += 1
            show(hours, hours + 1, clock.now())
        register = await RegisterStore(pool).load_if_changed(Register())
        for each in wanted:
            began = clock.monotonic()
            worker = _worker(each, settings, pool, clock)
            tally = await worker.look_back(register, from_at, until_at, progress.begin(each.value))
            found.append(
                {
                    "worker": each.value, "judged": tally.judged,
                    "not_computed": tally.reasons.total(), "reasons": dict(tally.reasons),
                    "opened": tally.opened, "seconds": round(clock.monotonic() - began, 1),
                }
            )  # fmt: skip
    return found


def _worker(which: Which, settings: Settings, pool: "Database", clock: Any) -> Any:
    from zoneinfo import ZoneInfo

    from ic3.domain.figures import Figures
    from ic3.domain.latest import LatestReadings
    from ic3.store.analytics import AnalyticsStore
    from ic3.store.dma import DmaStore
    from ic3.store.findings import FindingStore
    from ic3.store.five_minutes import FiveMinuteStore
    from ic3.store.network import NetworkStore
    from ic3.store.nrw import NrwStore
    from ic3.store.pump_health import PumpStore
    from ic3.workers.anomaly import Anomaly
    from ic3.workers.nrw import Nrw
    from ic3.workers.pump_health import PumpHealth

    shared: dict[str, Any] = {
        "values": FiveMinuteStore(pool), "findings": FindingStore(pool),
        "analytics": AnalyticsStore(pool), "latest": LatestReadings(), "figures": Figures(),
        "zone": ZoneInfo(settings.zone), "clock": clock, "observe": lambda _: None,
    }  # fmt: skip
    match which:
        case Which.ANOMALY:
            return Anomaly(**shared)
        case Which.PUMP_HEALTH:
            return PumpHealth(store=PumpStore(pool), **shared)
        case Which.NRW:
            return Nrw(
                definitions=DmaStore(pool), store=NrwStore(pool), networks=NetworkStore(pool),
                water_value_per_m3=settings.water_value_per_m3, **shared,
            )  # fmt: skip


def _districts(*, limit: int, dma_id: str | None = None) -> "list[OneDistrict]":
    settings = load()
    from ic3.cli.connect import opened, run
    from ic3.clock import Clock
    from ic3.store.nrw import NrwStore

    async def work() -> "list[OneDistrict]":
        async with opened(settings, only_look=True) as (_, pool):
            return await NrwStore(pool).page(None, now=Clock().now(), limit=limit, dma_id=dma_id)

    return run(work())


def _put_fields(heading: str, fields: Sequence[tuple[str, object]]) -> None:
    from ic3.cli.connect import put_table

    rows = [[name, "" if value is None else str(value)] for name, value in fields]
    put_table(["", heading], rows)


def _figure(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _moment(name: str, text: str) -> datetime:
    from ic3.domain.history import instant

    return datetime.fromtimestamp(instant(name, text) / 1e6, UTC)
