"""One figure of every asset at once, to draw a map by."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from ic3.api.callers import principal_of
from ic3.clock import Clock
from ic3.domain.envelope import time_text
from ic3.domain.freshness import Freshness
from ic3.domain.history import FIVE_MINUTES_US
from ic3.domain.latest import LatestReadings
from ic3.domain.map_values import (
    AGE_EDGES_S,
    Figure,
    MapValues,
    edges_of,
    newest_of,
    parameters_of,
    seen_by,
    unit_of,
)
from ic3.domain.mapping import RegisteredAsset
from ic3.domain.users import Principal
from ic3.errors import ApiError
from ic3.store.history import HistoryStore
from ic3.store.telemetry import microseconds

AT_A_TIME = 2000


class MapValuesReader:
    """Answers what every asset shows.

    Args:
        latest: Register and newest readings.
        freshness: When each asset was last heard.
        store: The past.
        clock: Says how old something is.
    """

    def __init__(
        self, *, latest: LatestReadings, freshness: Freshness, store: HistoryStore, clock: Clock
    ) -> None:
        self._latest = latest
        self._freshness = freshness
        self._store = store
        self._clock = clock

    async def newest(self, figure: Figure, who: Principal) -> MapValues:
        """What is newest of each asset."""
        if figure is Figure.AGE:
            now = self._clock.monotonic()
            ages = {}
            async for asset in _in_portions(seen_by(self._latest.register, who)):
                view = self._freshness.view(asset.serial, now=now)
                if view is not None and view.age_s is not None:
                    ages[asset.serial] = round(view.age_s, 1)
            return MapValues(figure, "s", None, AGE_EDGES_S, ages)
        register = self._latest.register
        param_ids = parameters_of(register, figure)
        values: dict[str, float] = {}
        async for asset in _in_portions(seen_by(register, who)):
            newest = newest_of(self._latest, asset, param_ids)
            if newest is not None:
                values[asset.serial] = newest
        return MapValues(
            figure, unit_of(register, param_ids), None, edges_of(values.values()), values
        )

    async def past(self, figure: Figure, who: Principal, at_us: int) -> MapValues:
        """The last values of the five minutes that hold an instant.

        Raises:
            ApiError: Nothing is kept of this figure.
            DatabaseAway, StoreError: They cannot be read.
        """
        if figure is Figure.AGE:
            raise ApiError(422, "no past", "how old data were is not kept; leave out `at`")
        register = self._latest.register
        param_ids = parameters_of(register, figure)
        bucket_us = at_us - at_us % FIVE_MINUTES_US
        found: dict[int, dict[int, float]] = {}
        for register_id, param_id, value in await self._store.last_values(bucket_us, param_ids):
            found.setdefault(register_id, {})[param_id] = value
        values: dict[str, float] = {}
        async for asset in _in_portions(seen_by(register, who)):
            of_asset = found.get(asset.register_id, {})
            last = next((of_asset[each] for each in param_ids if each in of_asset), None)
            if last is not None:
                values[asset.serial] = last
        return MapValues(
            figure, unit_of(register, param_ids), time_text(bucket_us),
            edges_of(values.values()), values,
        )  # fmt: skip


async def _in_portions(assets: Iterable[RegisteredAsset]) -> AsyncIterator[RegisteredAsset]:
    """The assets, other requests served in between."""
    for number, asset in enumerate(assets, 1):
        yield asset
        if number % AT_A_TIME == 0:
            await asyncio.sleep(0)


async def values(
    map_values: NamedDependency[MapValuesReader],
    request: Request[Any, Any, Any],
    by: Annotated[Figure, QueryParameter(description="pressure, flow, health or age.")],
    at: Annotated[
        datetime | None,
        QueryParameter(description="RFC 3339 with a zone: as it was; not of age."),
    ] = None,
) -> MapValues:
    """One figure of every asset that has it, newest or as it was, with edges of five classes."""
    who = principal_of(request)
    if at is None:
        return await map_values.newest(by, who)
    if at.tzinfo is None:
        raise ApiError(422, "bad time", "a time needs a zone, as 2026-06-15T01:42:00Z")
    return await map_values.past(by, who, microseconds(at))
