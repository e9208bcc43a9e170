"""`ic3 alarms` against the real program, over its death and its restart."""

import json
from pathlib import Path
from typing import Any

from driven import Product, ic3_here, until

# Low for every gauge, so that alarms are certain.
RULES = (
    "name,kind,parameter,limit,priority,text\n"
    "everything is low,low,PRESSURE,100000,2,'=not a formula\n"
)


def run(place: Path, *arguments: str, code: int = 0, **settings: str) -> Any:
    done = ic3_here(place, "alarms", *arguments, **settings)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def read(place: Path, *arguments: str, code: int = 0) -> Any:
    return json.loads(run(place, *arguments, "--json", code=code).stdout)


def low(place: Path, *arguments: str) -> list[Any]:
    """Alarms of the rule, by number."""
    found = read(place, *arguments)["alarms"]
    return sorted(
        (each for each in found if each["condition"] == "PRESSURE.low"), key=lambda a: a["id"]
    )  # fmt: skip


def test_alarms_are_listed_acknowledged_shelved_and_survive_a_kill(own_place: Path) -> None:
    nothing = run(own_place, code=5)
    assert "start ic3 serve" in nothing.stderr
    file = own_place / "rules.csv"
    with Product(own_place, MONITORING_POLL_INTERVAL="1") as product:
        product.start().until_ready()
        file.write_text(RULES + "bad,high,PRESSURE,,,\n", encoding="utf-8")
        bad = run(own_place, "rules", "import", str(file), code=1)
        assert bad.stdout == "line 3: a high rule needs a limit\n"
        file.write_text(RULES, encoding="utf-8")
        dry = run(own_place, "rules", "import", str(file), "--dry-run")
        assert dry.stdout == "+ everything is low\n"
        assert "1 would be added" in dry.stderr
        assert "everything is low" not in run(own_place, "rules", "export").stdout
        run(own_place, "rules", "import", str(file))
        assert "'=not a formula" in run(own_place, "rules", "export").stdout

        first, second, *_ = until(lambda: low(own_place), what="alarms of the rule")
        assert (first["priority"], first["state"]) == (2, "unacknowledged")
        listed = run(own_place, "--priority", "2")
        assert first["source"] in listed.stdout
        assert "2 high" in listed.stdout
        assert "last judged" in listed.stderr
        assert read(own_place, "--domain", "nowhere")["alarms"] == []

        done = run(own_place, "ack", str(first["id"]), "99999999", "--note", "seen", code=1)
        assert f"alarm {first['id']}: acknowledged\nalarm 99999999: not open\n" == done.stdout
        run(own_place, "shelve", str(second["id"]), "--minutes", "60", "--reason", "noisy")
        run(own_place, "comment", str(first["id"]), "crew is on its way")
        assert "already held" in run(
            own_place, "shelve", str(second["id"]), "--minutes", "5", "--reason", "x", code=1
        ).stderr  # fmt: skip
        assert [each["id"] for each in low(own_place, "--state", "shelved")] == [second["id"]]
        acts = product.sql(
            "SELECT what, whence FROM audit_log WHERE what LIKE 'alarm%' ORDER BY id"
        )
        assert acts == [
            ("alarm acknowledged", "127.0.0.1"), ("alarms shelved", "127.0.0.1"),
            ("alarm commented", "127.0.0.1"),
        ]  # fmt: skip
        assert "everything" not in run(own_place, "kpi").stdout
        asset = ic3_here(own_place, "asset", "show", first["source"])
        assert "fresh, newest record" in asset.stdout
        assert "PRESSURE" in asset.stdout
        assert first["text"] in asset.stdout
        whole = json.loads(ic3_here(own_place, "asset", "show", first["source"], "--json").stdout)
        assert first["id"] in [each["id"] for each in whole["alarms"]]
        assert whole["register"]["serialnumber"] == whole["state"]["serial"] == first["source"]
        unknown = ic3_here(own_place, "asset", "show", "nothing / such")
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert "neither in the register nor at the gateway" in unknown.stderr
        kpi = until(lambda: (found := read(own_place, "kpi"))["calls"] and found)
        assert kpi["acknowledgement"]["acknowledged"] == 1

        product.kill()
        assert "does not answer" in run(own_place, code=5).stderr
        product.start().until_ready()
        (held,) = low(own_place, "--state", "shelved")
        assert held["id"] == second["id"]
        again = {each["id"]: each for each in low(own_place)}[first["id"]]
        assert (again["state"], again["comments"]) == ("acknowledged", 1)
        run(own_place, "unshelve", str(second["id"]))
        assert low(own_place, "--state", "shelved") == []
        numbers = [
            each["id"] for each in read(own_place, "--state", "history", "-n", "2000")["alarms"]
        ]
        assert len(numbers) == len(set(numbers))
        other = run(own_place, code=4, IC3_JWT_SECRET="another secret of 32 bytes and more")
        assert "is not the running server's" in other.stderr
