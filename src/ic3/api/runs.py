"""One run explained: which keys failed, were late, unmatched, unmapped or quarantined, and why."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import PathParameter

from ic3.api.callers import principal_of
from ic3.domain.envelope import KEY_PREFIX
from ic3.domain.scope import AssetScope
from ic3.errors import ApiError
from ic3.store.runs import ExplainedRun, RunStore


class EquationView(msgspec.Struct):
    """One equation of conservation."""

    name: str
    says: str
    left: int
    right: int
    holds: bool


class RunView(msgspec.Struct):
    """A run with all that is known of it.

    Attributes:
        keys: What became of them to keys, as `failed:timeout`; null where no longer kept (48 h).
    """

    id: int
    run_at: datetime
    duration_ms: int
    error_msg: str | None
    sweep_id: int | None
    counters: dict[str, int]
    reasons: dict[str, dict[str, int]]
    phase_ms: dict[str, float]
    equations: list[EquationView]
    keys: dict[str, list[str]] | None


async def explain(
    run_id: Annotated[int, PathParameter(ge=1, le=2**62)],
    run_store: NamedDependency[RunStore],
    asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
) -> RunView:
    """One run: its counters, the equations they satisfy, and the caller's keys behind them."""
    found = await run_store.explain(run_id)
    if found is None:
        raise ApiError(404, "no such run", "GET /api/monitoring/progress lists the last ones")
    principal = principal_of(request)
    if principal.domains is None or found.keys is None:
        return view(found)
    keys = {
        why: [each for each in keys if asset_scope.sees(principal, _serial(each))]
        for why, keys in found.keys.items()
    }
    return view(replace(found, keys={why: each for why, each in keys.items() if each}))


def _serial(key: str) -> str:
    """The serial number in a key's name, or before the tag of an unmapped one."""
    return key.removeprefix(KEY_PREFIX).partition("\n")[0]


def view(found: ExplainedRun) -> RunView:
    """As the API shows it."""
    equations = [
        EquationView(each.name, each.says, each.left, each.right, each.holds)
        for each in found.equations
    ]
    return RunView(
        found.id, found.run_at, found.duration_ms, found.error_msg, found.sweep_id, found.counters,
        found.reasons, found.phase_ms, equations, found.keys,
    )  # fmt: skip
