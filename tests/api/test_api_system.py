"""What the server says of itself to its administrators."""

from datetime import date
from pathlib import Path

from serving import serving

from ic3 import __version__
from ic3.domain.users import Role
from ic3.store.migrate import migrations
from ic3.store.partitions import PartitionStore


async def test_the_system_tells_versions_partitions_roles_and_checks(
    fresh_dsn: str, tmp_path: Path
) -> None:
    async with serving(fresh_dsn, data_dir=tmp_path) as site:
        await PartitionStore(site.database, raw_days=3).make(date(2020, 1, 31))
        answer = await site.ask("GET", "/api/admin/system", token=site.token(Role.ADMIN))
    assert answer.status == 200, answer.body
    found = answer.json()
    database = found["database"]
    assert found["version"] == __version__
    assert database["schema_version"] == migrations()[-1].version
    assert database["size_bytes"] > 1_000_000
    assert database["has_row_security"] is True
    spans = {each["table"]: each for each in database["partitions"]}
    assert spans["telemetry"]["oldest"] == "2020-01-28"
    assert spans["telemetry"]["count"] >= 6
    assert spans["ic3_rollup_1h"]["oldest"] == "2020-01-01"
    assert spans["ic3_rollup_1h"]["newest"] >= "2020-02-01"
    assert {"ic3_api", "ic3_ingest", "ic3_migrate"} <= set(found["roles"])
    assert found["room"]["free_bytes"] > 0
    assert found["room"]["day_bytes"] is None
    assert found["plant"] == "real"
    assert found["reasons"] == ["no sweep has ended yet"]
    assert found["hub"]["numbered"] == 0
    assert found["spool_share"] == 0
    states = {each["name"]: each["state"] for each in found["checks"]}
    assert states["database"] == states["roles"] == "pass"
    assert states["register"] == "warn"


async def test_the_system_cannot_be_told_while_the_database_is_away() -> None:
    async with serving() as site:
        answer = await site.ask("GET", "/api/admin/system", token=site.token(Role.ADMIN))
    assert answer.status == 503
