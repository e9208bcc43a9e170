"""The CMMS of the simulated plant: one asset a request, and trouble at random on request."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from http.client import responses
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import msgspec

PREFIX = "/cmms/api/assets/"
PEOPLE = ("R. Verma", "S. Khan", "A. Joseph", "M. Devi", "P. Gill")
Trouble = Literal["500", "404", "slow", "html", "wrong_json", "renamed"]
TROUBLES: tuple[Trouble, ...] = ("500", "404", "slow", "html", "wrong_json", "renamed")
# As a new version of the CMMS might spell them.
RENAMED = {"serialnumber": "serialNumber", "barcode": "bar_code", "id": "assetId"}


class Troubled(msgspec.Struct, forbid_unknown_fields=True):
    """How the CMMS is to fail.

    Attributes:
        share: Of the requests, 0 to 1.
        kinds: What it plays, each as likely as the other.
        seed: Of the chance.
        slow_s: How long a slow answer takes.
    """

    share: float = 0.0
    kinds: tuple[Trouble, ...] = TROUBLES
    seed: int = 1
    slow_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        if not 0 <= self.share <= 1 or not self.kinds or not 0 <= self.slow_s <= 600:
            raise ValueError("share is 0 to 1, kinds names one at least, slow_s is 0 to 600")


class Answer(NamedTuple):
    """A whole answer, and how long it takes."""

    wait_s: float
    content: bytes


class Cmms:
    """Answers for the assets of a register.

    Args:
        rows: Rows of the register.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = {str(row["serialnumber"]): (at, row) for at, row in enumerate(rows, 70_001)}
        self.requests: Counter[str] = Counter()
        self.trouble(Troubled())

    def trouble(self, troubled: Troubled) -> None:
        """From now on fail so."""
        self.troubled = troubled
        self._random = random.Random(troubled.seed)

    def answer(self, method: str, target: str) -> Answer:
        """The answer to a request.

        Args:
            method: Of HTTP.
            target: Path as it came, the serial number percent-encoded.
        """
        self.requests[f"{method} {target}"[:300]] += 1
        if method != "GET":
            return Answer(0, _message(405, {"error": "read only"}))
        serial = unquote(target.partition("?")[0].removeprefix(PREFIX))
        kind = self._misfortune()
        if kind == "500":
            return Answer(0, _message(500, {"error": "as asked for"}))
        if kind == "html":
            return Answer(0, _message(200, b"<!doctype html><title>Innomaint</title>Log in."))
        if kind == "wrong_json":
            return Answer(0, _message(200, {"data": ["not", "an", "object"]}))
        found = self._rows.get(serial)
        if found is None or kind == "404":
            return Answer(0, _message(404, {"error": "no such asset"}))
        data = _data(serial, *found)
        if kind == "renamed":
            data = {RENAMED.get(name, name): value for name, value in data.items()}
        wait_s = self.troubled.slow_s if kind == "slow" else 0
        return Answer(wait_s, _message(200, {"data": data}))

    def _misfortune(self) -> Trouble | None:
        if self._random.random() >= self.troubled.share:
            return None
        return self._random.choice(self.troubled.kinds)


def _data(serial: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the CMMS knows: the same at every request, and of every start."""
    chance = random.Random(f"cmms {serial}")
    return {
        "id": number, "traceid": number, "serialnumber": serial,
        "barcode": f"IC3-{number:06d}",
        "criticality": row.get("criticality"), "capacity_rating": row.get("capacity_rating"),
        "ticketcount": chance.choices((0, 1, 2, 5), (80, 12, 6, 2))[0],
        "schedulecount": chance.randrange(5),
        "in_charge_person": chance.choice(PEOPLE),
        "status": row.get("status"), "asset_live_status": row.get("asset_live_status"),
    }  # fmt: skip


def _message(status: int, content: object) -> bytes:
    page = isinstance(content, bytes)
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    kind = "text/html" if page else "application/json"
    return (
        f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
