"""Who did what."""

from typing import Annotated

import msgspec
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from ic3.store.audit import Act, AuditStore


class Acts(msgspec.Struct):
    """Acts, newest first; ask on with `cursor=next`."""

    acts: list[Act]
    next: int | None


async def newest(
    audits: NamedDependency[AuditStore],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1)] = None,
) -> Acts:
    """What people did, newest first."""
    acts = await audits.newest(limit, below=cursor)
    return Acts(acts, acts[-1].id if len(acts) == limit else None)
