"""The webhook against a receiver: signature, deadline, statuses, and addresses not called."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from receivers import FLOODS, KEY, Receiver, verified

from ic3.clock import Clock
from ic3.domain.addresses import refusal_of
from ic3.hub.notices import Outcome, Target
from ic3.hub.webhook import Webhook, judged

EVENT = '{"specversion":"1.0","id":"7-1","data":{"text":"½ bar"}}'


def webhook(*, allow_private: bool = True, deadline_s: float = 5.0) -> Webhook:
    return Webhook(clock=Clock(), allow_private=allow_private, deadline_s=deadline_s)


def target(url: str) -> Target:
    return Target("control room", (), url, KEY)


async def send(receiver: Receiver, **more: Any) -> Outcome:
    return await webhook(**more).send(target(receiver.url), [EVENT])


async def test_an_event_comes_signed_as_cloudevents_json(receiver: Receiver) -> None:
    assert await send(receiver) == Outcome(True, status=200)
    (seen,) = receiver.seen
    assert seen.line == "POST /hooks/planted-path HTTP/1.1"
    assert seen.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert seen.body == EVENT.encode()
    header, now_s = seen.headers["ic3-signature"], time.time()
    assert verified(header, seen.body, KEY, now_s)
    assert not verified(header, seen.body + b" ", KEY, now_s)
    assert not verified(header, seen.body, "another secret of sixteen", now_s)
    assert not verified(header, seen.body, KEY, now_s + 301)
    later = header.replace(header[2:12], str(int(now_s) + 400))
    assert not verified(later, seen.body, KEY, now_s + 400)


@pytest.mark.parametrize(
    ("status", "sent", "again"),
    [(200, True, False), (202, True, False), (400, False, False), (401, False, False),
     (404, False, False), (410, False, False), (408, False, True), (425, False, True),
     (429, False, True), (500, False, True), (503, False, True)],
)  # fmt: skip
async def test_statuses_mean(receiver: Receiver, status: int, sent: bool, again: bool) -> None:
    receiver.answers = [status]
    found = await send(receiver)
    assert (found.sent, found.again, found.status) == (sent, again, status)


async def test_s30_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [302]
    found = await send(receiver)
    assert (found.sent, found.again, found.status, len(receiver.seen)) == (False, False, 302, 1)
    assert "redirects are not followed" in found.words


async def test_the_rest_that_is_asked_for_is_heard(receiver: Receiver) -> None:
    for text, seconds in (("7", 7.0), ("999999", 3600.0), ("soon", None)):
        receiver.answers, receiver.headers = [429], f"Retry-After: {text}\r\n"
        assert (await send(receiver)).retry_after_s == seconds
    receiver.answers, receiver.headers = [503], "Retry-After: Wed, 21 Oct 2099 07:28:00 GMT\r\n"
    assert (await send(receiver)).retry_after_s == 3600.0
    assert judged(404, 5.0).retry_after_s is None


@pytest.mark.parametrize("how", ["hang", "drip"])
async def test_a_receiver_that_hangs_or_drips_has_one_deadline(
    receiver: Receiver, how: str
) -> None:
    receiver.answers = [how]
    found = await send(receiver, deadline_s=0.4)
    assert (found.sent, found.again, found.words) == (False, True, "no answer within 0.4 s")


@pytest.mark.parametrize("flood", FLOODS)
async def test_an_answer_without_end_is_a_failed_try(receiver: Receiver, flood: str) -> None:
    receiver.answers = [flood]
    found = await send(receiver, deadline_s=2)
    assert (found.sent, found.again) == (False, True)
    assert "planted" not in repr(found)
    assert "\x1b" not in found.words


async def test_s31_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    words = [*command.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)  # noqa: ASYNC221  in a test
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as wire:
                context.wrap_socket(wire, server_side=True)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        url = f"https://localhost:{server.getsockname()[1]}/"
        found = await webhook().send(target(url), [EVENT])
        await asyncio.to_thread(thread.join, 5)
    assert (found.again, found.words) == (True, "its certificate is not accepted")


async def test_what_drops_or_refuses_the_connection_is_tried_again(receiver: Receiver) -> None:
    receiver.answers = ["drop"]
    found = await send(receiver)
    assert (found.sent, found.again) == (False, True)
    receiver.close()
    await asyncio.sleep(0)
    found = await send(receiver)
    assert (found.again, found.words) == (True, "the connection was refused")
    assert "planted" not in repr(found) + repr(target(receiver.url))


async def test_s30_no_proxy_of_the_environment_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await send(receiver)).sent


HERE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "0.0.0.0", "0", "[::]", "[64:ff9b::7f00:1]",
]  # fmt: skip


@pytest.mark.parametrize("host", HERE)
async def test_this_machine_is_not_called_however_it_is_written(
    receiver: Receiver, host: str
) -> None:
    found = await webhook(allow_private=False).send(
        target(f"http://{host}:{receiver.port}/x"), [EVENT]
    )
    assert not found.sent
    assert receiver.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"])
async def test_a_name_that_leads_to_a_private_address_is_not_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    asked: list[str] = []

    async def resolve(self: object, host: str, port: int = 0, **_: object) -> list[Any]:
        asked.append(host)
        return [
            {"hostname": host, "host": address, "port": port, "family": family, "proto": 0,
             "flags": socket.AI_NUMERICHOST}
        ]  # fmt: skip

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", resolve)
    url = f"http://hooks.example.org:{receiver.port}/planted-path"
    found = await webhook(allow_private=False).send(target(url), [EVENT])
    assert asked == ["hooks.example.org"]
    assert (found.sent, found.again) == (False, False)
    assert found.words == "its host is a private address, which is not called"
    assert receiver.connections == 0


async def test_of_several_addresses_only_those_that_may_be_called_are(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(self: object, host: str, port: int = 0, **_: object) -> list[Any]:
        return [
            {"hostname": host, "host": address, "port": port, "family": socket.AF_INET,
             "proto": 0, "flags": socket.AI_NUMERICHOST}
            for address in ("169.254.169.254", "127.0.0.1")
        ]  # fmt: skip

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", resolve)
    url = f"http://hooks.example.org:{receiver.port}/planted-path"
    assert (await webhook().send(target(url), [EVENT])).sent
    receiver.close()
    await asyncio.sleep(0.01)
    found = await webhook().send(target(url), [EVENT])
    assert (found.again, found.words) == (True, "the connection was refused")


async def test_each_try_judges_the_address_anew(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name whose address changes between two looks: the one connected to is judged."""
    judged_addresses: list[str] = []

    def refuse(host: str, *, allow_private: bool) -> str | None:
        judged_addresses.append(host)
        return None if len(judged_addresses) == 1 else "a private address"

    monkeypatch.setattr("ic3.hub.webhook.refusal_of", refuse)
    assert (await send(receiver, allow_private=False)).sent
    assert not (await send(receiver, allow_private=False)).sent
    assert judged_addresses == ["127.0.0.1", "127.0.0.1"]
    assert receiver.connections == 1


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[fe80::1%25lo]:9/"])
async def test_metadata_and_link_local_are_never_called(url: str) -> None:
    found = await webhook(allow_private=True).send(target(url), [EVENT])
    assert (found.sent, found.again) == (False, False)
    assert "link-local" in found.words


PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1",
    "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "198.18.0.1",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "100.100.100.200", "fd00:ec2::254", "0.0.0.0", "0.1.2.3", "::",
    "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255", "::7f00:1",
    "not an address", "",
]  # fmt: skip


def test_addresses_are_judged_by_what_they_lead_to() -> None:
    for host in PRIVATE:
        assert refusal_of(host, allow_private=False), host
        assert refusal_of(host, allow_private=True) is None, host
    for host in NEVER:
        assert refusal_of(host, allow_private=False), host
        assert refusal_of(host, allow_private=True), host
    for host in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert refusal_of(host, allow_private=False) is None, host
