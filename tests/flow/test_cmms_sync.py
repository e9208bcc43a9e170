"""The simulated plant's CMMS fills the register; killed in the middle, it goes on where it was."""

import contextlib
import http.client
import json
import threading
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from driven import Product, children, until, until_dead
from patience import PATIENCE_S

SYNC = "/api/admin/cmms/sync"
ENTERED = "SELECT count(*) FROM ic3_asset_master WHERE traceability_id IS NOT NULL"


def send(address: str, body: object = None, *, token: str = "", method: str = "POST") -> Any:
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode()
    with urlopen(Request(address, data, headers, method=method), timeout=PATIENCE_S) as answer:
        return json.load(answer)


def test_a_synchronisation_that_is_killed_goes_on_and_overwrites_nothing(own_place: Path) -> None:
    with Product(own_place) as product:
        product.start().until_ready()
        first, second = product.sql(
            "SELECT serialnumber FROM ic3_asset_master ORDER BY asset_id LIMIT 2"
        )
        serial = first[0].replace(" ", "%20")
        send(f"{product.base}/api/assets/{serial}", {"barcode": "by hand"}, token=product.token,
             method="PATCH")  # fmt: skip
        done = send(f"{product.base}{SYNC}?batch=20&offset=0", token=product.token)
        assert (done["total"], done["success"], done["errors"]) == (20, 20, [])
        plant = (own_place / "data" / "plant.address").read_text().strip()
        send(f"{plant}/admin/cmms", {"share": 0.4, "kinds": ["slow", "404"], "slow_s": 0.2})
        target = f"{product.base}{SYNC}?batch=1000"
        cut = threading.Thread(target=_ask, args=(target, product.token), daemon=True)
        cut.start()
        until(lambda: product.one("SELECT success + failed FROM ic3_cmms_sync") > 30)
        below = children(product.pid)
        product.kill()
        until_dead(below)
        product.start().until_ready()
        place = product.one("SELECT success + failed FROM ic3_cmms_sync")
        assert product.one("SELECT ended_at FROM ic3_cmms_sync") is None
        number = product.one(ENTERED)
        again = send(f"{product.base}{SYNC}?batch=100", token=product.token)
        assert (again["total"], again["success"]) == (100, 100)
        assert product.one(ENTERED) == number + 100
        after = product.one("SELECT after_asset_id FROM ic3_cmms_sync")
        passed = product.one("SELECT count(*) FROM ic3_asset_master WHERE asset_id <= %s", after)
        assert passed == 20 + place + 100
        rows = dict(
            product.sql(
                "SELECT serialnumber, barcode FROM ic3_asset_master WHERE serialnumber IN (%s, %s)",
                first[0],
                second[0],
            )
        )
        assert rows[first[0]] == "by hand"
        assert rows[second[0]].startswith("IC3-")


def _ask(target: str, token: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):  # what the kill is for
        send(target, token=token)
