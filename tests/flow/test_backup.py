"""The restore drill: what was backed up while the program ran comes back, row for row: S44."""

from pathlib import Path

from driven import Gateway, Product, ic3, until

# Without what every sweep writes, also one that brings nothing.
HASH = "SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {} t"
KEPT = (
    "telemetry", "ic3_asset_monitoring_data", "ic3_asset_master", "ic3_asset_tag_map",
    "ic3_parameter_master", "ic3_user", "asset_latest", "assets", "ic3_alarm_rule",
    "ic3_dma", "schema_migrations",
)  # fmt: skip


def hashes(product: Product) -> dict[str, str]:
    return {table: product.one(HASH.format(table)) for table in KEPT}


def test_s44_a_backup_comes_back_row_for_row_and_the_program_goes_on(own_place: Path) -> None:
    gateway = Gateway()
    kept = own_place / "kept"
    try:
        with Product(own_place, REDIS_API_BASE=gateway.base) as product:
            product.start().until_ready()
            product.fill_register()
            product.after_next_sweep()
            assert product.get("/api/audit/verify")["whole"]
            gateway.tick()
            product.after_next_sweep()
            product.after_next_sweep()
            sweeps = product.one("SELECT count(*) FROM ic3_sweep")
            before = hashes(product)
            made = ic3(own_place, "backup", str(kept), REDIS_API_BASE=gateway.base)
            assert made.returncode == 0, made.stderr
            assert hashes(product) == before
            product.stop()
        assert (kept.stat().st_mode & 0o777) == 0o700

        again = own_place / "again"
        settings = {"IC3_DATA_DIR": str(again), "REDIS_API_BASE": gateway.base}
        restored = ic3(own_place, "restore", str(kept), **settings)
        assert restored.returncode == 0, restored.stderr
        twice = ic3(own_place, "restore", str(kept), **settings)
        assert (twice.returncode, "holds a database already" in twice.stderr) == (1, True)

        other = Product(own_place, **settings)
        with other:
            other.start()
            other.line("serving  address=")
            assert hashes(other) == before
            assert other.one("SELECT count(*) FROM ic3_sweep") >= sweeps
            assert other.get("/api/audit/verify")["whole"]
            gateway.tick()
            until(lambda: hashes(other)["telemetry"] != before["telemetry"], what="new telemetry")
    finally:
        gateway.close()


def test_a_damaged_backup_is_refused(own_place: Path) -> None:
    kept = own_place / "kept"
    kept.mkdir()
    (kept / "database.dump").write_bytes(b"PGDMP")
    (kept / "backup.json").write_text('{"at": "x", "database_sha256": "0"}')
    done = ic3(own_place, "restore", str(kept))
    assert (done.returncode, "it is damaged" in done.stderr) == (1, True)
    done = ic3(own_place, "restore", str(own_place / "nothing"))
    assert (done.returncode, "cannot be read" in done.stderr) == (1, True)
