"""The client of the CMMS: what it asks, what it takes for an answer, and how it waits."""

import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from ic3.errors import CmmsError, SettingsError
from ic3.gateway import innomaint
from ic3.gateway.innomaint import InnomaintClient, fields_of

SERIAL = "C Block/Ranjeet Nagar_LT Panel_19"
DATA: dict[str, Any] = {
    "id": 73841, "traceid": "73841", "serialnumber": SERIAL, "barcode": "IC3-1",
    "criticality": "High", "capacity_rating": "400 kVA", "ticketcount": 2, "schedulecount": "3",
    "in_charge_person": "R. Verma", "status": "Active", "asset_live_status": "Live",
}  # fmt: skip
Script = Callable[[str], bytes | None]


def http(status: int, body: object = None, *, headers: str = "") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    return head.encode() + content


GOOD = http(200, {"data": DATA})


class Server:
    """Answers by a script and keeps what it was asked; an answer of None hangs."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head.decode("latin-1"))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    await asyncio.sleep(30)
                    return
                writer.write(answer)
                await writer.drain()
                if answer == b"" or b"Connection: close" in answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def asking(
    *answers: bytes | None, base: str = "http://127.0.0.1:{}", **more: Any
) -> AsyncIterator[tuple[InnomaintClient, Server]]:
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    more = {"rate_per_s": 1000.0, "timeout_s": 0.3, **more}
    try:
        async with InnomaintClient(base.format(server.port), **more) as client:
            yield client, server
    finally:
        listening.close()  # a loop that is closed before it hangs


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(innomaint, "FIRST_PAUSE_S", 0.01)


async def test_one_get_with_the_serial_number_as_one_segment() -> None:
    async with asking(GOOD, token="secret-1") as (client, server):
        found = await client.asset(SERIAL)
    assert found == {
        "serialnumber": SERIAL, "cmms_asset_id": SERIAL, "traceability_id": "73841",
        "barcode": "IC3-1", "criticality": "High", "capacity_rating": "400 kVA",
        "in_charge_person": "R. Verma", "status": "Active", "asset_live_status": "Live",
        "ticketcount": 2, "schedulecount": 3,
    }  # fmt: skip
    [head] = server.heads
    assert head.startswith("GET /api/assets/C%20Block%2FRanjeet%20Nagar_LT%20Panel_19 HTTP/1.1\r\n")
    assert "Authorization: Bearer secret-1\r\n" in head
    assert "Accept-Encoding: identity\r\n" in head


async def test_the_path_is_a_setting_and_odd_signs_stay_in_their_segment() -> None:
    odd = "a?b#c%2F&é\u202e;=../x"
    answer = http(200, {"data": {**DATA, "serialnumber": odd}})
    async with asking(answer, base="http://127.0.0.1:{}/cmms/", path="/v2/{serial}/full") as (
        client, server,
    ):  # fmt: skip
        assert (await client.asset(odd))["serialnumber"] == odd
    target = server.heads[0].split(" ")[1]
    assert target == "/cmms/v2/a%3Fb%23c%252F%26%C3%A9%E2%80%AE%3B%3D..%2Fx/full"


async def test_steps_up_are_never_asked() -> None:
    async with asking(GOOD) as (client, server):
        for serial in (".", "..", ""):
            with pytest.raises(CmmsError, match="cannot be asked for"):
                await client.asset(serial)
        assert server.heads == []


@pytest.mark.parametrize("first", [http(500), http(503), http(429), b"", None], ids=repr)
async def test_a_second_try_where_it_may_help(first: bytes | None) -> None:
    async with asking(first, GOOD) as (client, server):
        assert (await client.asset(SERIAL))["barcode"] == "IC3-1"
        assert len(server.heads) == 2


@pytest.mark.parametrize(
    ("answer", "words", "asked"),
    [
        (http(404, {}), "does not know the asset", 1),
        (http(401), "refuses the token", 1),
        (http(418), "status 418", 1),
        (http(302, headers="Location: http://127.0.0.1:1/x\r\n"), "points elsewhere", 1),
        (http(500), "status 500", 3),
        (None, "no answer within 1 s", 3),
        (http(200, b"<!doctype html>"), "not JSON", 1),
        (http(200, b"\xff"), "not JSON", 1),
        (http(200, b"[" * 100_000), "not JSON", 1),
        (http(200, [1]), "no object data", 1),
        (http(200, {"data": [1]}), "no object data", 1),
        (http(200, b"x" * (2 << 20)), "too large", 1),
        (http(200, b"x", headers="Content-Encoding: gzip\r\n"), "compressed", 1),
        (b"HTTP/1.1 200 X\r\nContent-Length: 99\r\nConnection: close\r\n\r\nabc", "cut short", 3),
        (b"SSH-2.0-x\r\n\r\n", "bad HTTP", 1),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
async def test_what_is_no_answer_has_its_words(
    answer: bytes | None, words: str, asked: int
) -> None:
    async with asking(answer, timeout_s=1.0) as (client, server):
        with pytest.raises(CmmsError, match=words):
            await client.asset(SERIAL)
        assert len(server.heads) == asked


async def test_a_dripping_answer_ends_by_the_total_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n")
        try:
            for _ in range(100):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    began = asyncio.get_running_loop().time()
    with closing(listening):
        async with InnomaintClient(
            f"http://127.0.0.1:{port}", timeout_s=0.2, rate_per_s=1000
        ) as client:
            with pytest.raises(CmmsError, match="no answer"):
                await client.asset(SERIAL)
    assert asyncio.get_running_loop().time() - began < 20


async def test_it_is_never_asked_faster_than_it_may() -> None:
    loop = asyncio.get_running_loop()
    async with asking(GOOD, rate_per_s=20) as (client, server):
        began = loop.time()
        for _ in range(5):
            await client.asset(SERIAL)
        assert loop.time() - began >= 4 / 20 - 0.01
    assert len(server.heads) == 5


async def test_s30_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with asking(GOOD) as (client, _):
        assert await client.asset(SERIAL)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=DNS:localhost -keyout {key} -out {cert}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize(
    ("host", "ca", "good"),
    [("localhost", True, True), ("localhost", False, False), ("127.0.0.1", True, False)],
)
async def test_s31_a_certificate_must_prove_the_host_to_the_authority_that_is_set(
    certificate: tuple[Path, Path], host: str, ca: bool, good: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = Server(GOOD)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    with closing(listening):
        async with InnomaintClient(
            f"https://{host}:{port}", timeout_s=PATIENCE_S, rate_per_s=99,
            ca_file=certificate[0] if ca else None,
        ) as client:  # fmt: skip
            if good:
                assert (await client.asset(SERIAL))["barcode"] == "IC3-1"
            else:
                with pytest.raises(CmmsError, match="certificate was refused") as caught:
                    await client.asset(SERIAL)
                assert caught.value.away
    assert len(server.heads) == int(good)


def test_a_file_that_holds_no_authority_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CA file"):
        InnomaintClient("https://cmms", ca_file=tmp_path / "nothing.pem")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"serialnumber": "other"}, "another serial number"),
        ({"serialnumber": None}, "lacks data.serialnumber"),
        ({"id": None, "traceid": None}, "lacks data.id and data.traceid"),
        ({"id": 1}, "two different numbers"),
        ({"ticketcount": "many"}, "data.ticketcount is no count"),
        ({"ticketcount": -1}, "data.ticketcount is no count"),
        ({"ticketcount": 10**12}, "data.ticketcount is no count"),
        ({"barcode": ["x"]}, "data.barcode is neither text nor number"),
        ({"status": True}, "data.status is neither text nor number"),
        ({"barcode": "a\0b"}, "data.barcode holds a control character"),
        ({"barcode": "a\nb"}, "data.barcode holds a control character"),
        ({"barcode": "x" * 1001}, "data.barcode is longer than 1000 characters"),
    ],
)  # fmt: skip
def test_fields_that_cannot_be_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(CmmsError, match=words):
        fields_of(json.dumps({"data": {**DATA, **change}}).encode(), SERIAL)


def test_what_is_missing_null_or_empty_says_nothing() -> None:
    data = {"id": 1, "serialnumber": SERIAL, "barcode": None, "criticality": "", "status": "In use"}
    found = fields_of(json.dumps({"data": data}).encode(), SERIAL)
    assert {name: value for name, value in found.items() if value is not None} == {
        "serialnumber": SERIAL, "cmms_asset_id": SERIAL, "traceability_id": "1",
        "status": "In use",
    }  # fmt: skip


def test_an_answer_whose_fields_were_all_renamed_is_said_to_be_so() -> None:
    data = {"id": 1, "serialnumber": SERIAL, "bar_code": "x", "State": "y"}
    with pytest.raises(CmmsError, match="were they renamed"):
        fields_of(json.dumps({"data": data}).encode(), SERIAL)


@pytest.mark.parametrize(
    "base",
    ["", "cmms", "ftp://cmms", "http://", "http://u:p@cmms", "http://cmms?x=1", "http://cmms#x",
     "http://a b", "http://cmms:x", "http://cmms:99999", "http://[::1"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_repeating_it(base: str) -> None:
    with pytest.raises(SettingsError, match=r"^cmms: ") as caught:
        InnomaintClient(base)
    assert "u:p" not in str(caught.value)


def test_a_token_that_cannot_be_sent_is_refused_without_repeating_it() -> None:
    with pytest.raises(SettingsError, match="printable") as caught:
        InnomaintClient("http://cmms", token="sec\r\nret")
    assert "sec" not in str(caught.value)
