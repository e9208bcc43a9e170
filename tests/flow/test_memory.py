"""The program lives under a limit of memory, whatever comes and whoever is away: F29."""

import resource
from pathlib import Path

import psycopg
from driven import Gateway, Product, ic3_here, until

LIMIT_BYTES = 3 << 29  # 1.5 GiB of address space, of which memory is a part
REPLICATE = 4
TOO_LARGE = "SELECT id FROM ic3_sweep WHERE (quarantined ->> 'too_large')::int > 0"


def _peak_mib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10


def test_f29_huge_answers_and_a_long_lock_are_lived_through_within_the_limit(
    own_place: Path, fresh_dsn: str
) -> None:
    gateway = Gateway(interval_s=0.5, replicate=REPLICATE)
    settings = {"DATABASE_URL": fresh_dsn, "REDIS_API_BASE": gateway.base}
    try:
        with Product(own_place, **settings, MONITORING_POLL_INTERVAL="1") as product:
            assert ic3_here(own_place, "migrate", **settings).returncode == 0
            product.fill_register(REPLICATE)
            product.start()
            resource.prlimit(product.pid, resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
            product.until_ready()
            assert product.token
            for number in range(10):
                name = f"huge {number}"
                gateway.set(key=name, value="x" * (2 << 20), keys=[f"ic3:latest:{name}"])
            with psycopg.connect(fresh_dsn) as connection:
                connection.execute("LOCK TABLE telemetry IN ACCESS EXCLUSIVE MODE")
                until(lambda: product.get("/api/stats")["spool"]["sweeps"] >= 3, what="a spool")
            until(lambda: product.get("/api/stats")["spool"]["sweeps"] <= 1, what="it emptied")
            until(lambda: product.sql(TOO_LARGE), what="a sweep that met the huge answers")
            assert resource.prlimit(product.pid, resource.RLIMIT_AS) == (LIMIT_BYTES, LIMIT_BYTES)
            assert _peak_mib(product.pid) < 600
            gateway.fault("hang", target="list")
            assert not any("MemoryError" in line or "Traceback" in line for line in product.lines)
            until(lambda: product.broken() == {}, what="whole tables")
    finally:
        gateway.close()
