"""Passwords to tokens: the same answer to every stranger, slower with every failure."""

import asyncio
import json
import threading
from typing import Any

import argon2
import jwt
import pytest
from patience import PATIENCE_S
from serving import SECRET, Site, StillClock, until

from ic3.api.auth import WAITING_LOGINS_LIMIT, Passwords, Throttle
from ic3.domain.users import Role
from ic3.errors import ApiError
from ic3.observations import LoginRefused
from ic3.store.users import UserStore

WORD = "correct horse battery"
# As the product's, but quick: most of these tests are not about the hash.
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Held(argon2.PasswordHasher):
    """One that takes as long as a test wants."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()

    def hash(self, *given: Any, **more: Any) -> str:
        """Wait, then hash."""
        self.go.wait(PATIENCE_S)
        return super().hash(*given, **more)


STRANGE = [
    "mallory",
    "",
    " asha",
    "asha ",
    "ASHA",
    "asha\0",
    "\0",
    "असहा",
    "' OR 1=1 --",
    "a" * 200,
]
LOGIN = "/api/auth/login"
JSON = [("Content-Type", "application/json")]


def quicken(site: Site) -> None:
    site.passwords._hasher = QUICK


async def enrol(site: Site, name: str = "asha", role: Role = Role.OPERATOR) -> None:
    quicken(site)
    assert await UserStore(site.database).add(name, QUICK.hash(WORD), role)


async def stored_hash(site: Site, name: str = "asha") -> str:
    user = await UserStore(site.database).find(name)
    assert user is not None
    return user.password_hash


async def test_a_right_password_is_exchanged_for_a_token_of_the_users_role(stored: Site) -> None:
    await enrol(stored)
    answer = await stored.login("asha", WORD)
    assert answer.status == 200
    assert answer.header("cache-control") == "no-store"
    token = answer.json()
    assert set(token) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (token["token_type"], token["expires_in"]) == ("bearer", 600)
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(
        token["access_token"], SECRET, ["HS256"], audience="ic3", issuer="ic3", options=options
    )
    assert (claims["sub"], claims["role"]) == ("asha", "operator")
    assert (await stored.ask("GET", "/api/stats", token=token["access_token"])).status == 200
    assert not stored.told


async def test_s03_a_stranger_learns_nothing_of_who_exists(stored: Site) -> None:
    await enrol(stored)
    await enrol(stored, "gone")
    async with stored.database.connection() as connection:
        await connection.execute("UPDATE ic3_user SET disabled_at = now() WHERE username = 'gone'")
    seen = set()
    tries = [(name, WORD) for name in STRANGE if name] + [("gone", WORD)]
    tries += [
        ("asha", word) for word in ("wrong", WORD + " ", WORD[:-1], WORD.upper(), WORD + "\0")
    ]
    for name, word in tries:
        stored.clock.advance(61)
        answer = await stored.login(name, word)
        body = answer.json()
        del body["request_id"]
        names = frozenset(name for name, _ in answer.headers)
        seen.add((answer.status, json.dumps(body), names))
    ((status, body, _),) = seen
    assert (status, json.loads(body)["error"]) == (401, "wrong user name or password")
    assert stored.told == [
        LoginRefused(name, "127.0.0.1", "wrong user or password") for name, _ in tries
    ]


async def test_s01_an_outdated_hash_is_renewed_at_login(stored: Site) -> None:
    await enrol(stored)
    old = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=2).hash(WORD)
    async with stored.database.connection() as connection:
        await connection.execute("UPDATE ic3_user SET password_hash = %s", (old,))
    assert (await stored.login("asha", "wrong")).status == 401
    assert await stored_hash(stored) == old
    assert (await stored.login("asha", WORD)).status == 200
    renewed = await stored_hash(stored)
    assert renewed != old
    assert renewed.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert (await stored.login("asha", WORD)).status == 200
    assert await stored_hash(stored) == renewed


async def test_s01_a_hash_of_the_product_is_argon2id_64_mib_3_rounds() -> None:
    passwords = Passwords()
    made = await passwords.hash(WORD)
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert await passwords.verify(made, WORD)
    assert not await passwords.verify(made, "wrong")
    assert not await passwords.verify("not a hash", WORD)
    assert not await passwords.verify(None, WORD)
    assert not passwords.outdated(made)


async def test_long_and_odd_passwords_are_not_cut() -> None:
    passwords = Passwords()
    passwords._hasher = QUICK
    for word in ("x" * 1024, "नमस्ते दुनिया", "a\0b", "  ", "😀" * 100):
        made = await passwords.hash(word)
        assert await passwords.verify(made, word)
        assert not await passwords.verify(made, word[:-1])
        assert not await passwords.verify(made, word + "\0")


BODIES = {
    b'{"username":"a","password":"b","role":"admin"}': 422,
    b'{"username":"a"}': 422,
    b'{"username":"a","password":null}': 422,
    b'{"username":"a","password":1}': 422,
    b'{"username":["a"],"password":"b"}': 422,
    b'{"username":"","password":"b"}': 422,
    b'{"username":"a","password":""}': 422,
    b'{"username":"%s","password":"b"}' % (b"a" * 201): 422,
    b'{"username":"a","password":"%s"}' % (b"b" * 1025): 422,
    b"null": 422, b"[]": 422, b"1": 422, b'"a"': 422, b"{}": 422, b"": 422,
    b"{": 400, b"{'a':1}": 400, b'{"username":"a","password":NaN}': 400, b"\xff\xfe": 400,
    b'{"username":"\\ud800","password":"b"}': 400, b'{"username":"a","password":"\\udfff"}': 400,
    b'{"username":"a\xc3","password":"b"}': 400, b"[" * 100_000: 400, b'{"a":' * 100_000: 400,
    b"\x1f\x8b\x08\x00": 400, b"\0" * 100: 400,
    '{"username":"a","password":"b"}'.encode("utf-16"): 400,
    b'{"username":"a","username":"b","password":"b"}': 503,
}  # fmt: skip


async def test_a_bad_body_is_refused_and_never_an_error_of_ours(site: Site) -> None:
    for body, status in BODIES.items():
        answer = await site.ask("POST", LOGIN, headers=JSON, body=body)
        assert answer.status == status, body[:60]
        assert answer.header("content-type") == "application/problem+json"
        assert answer.json()["error"]
        for inside in (b"Credentials", b"argon2", b"/work", b"ic3."):
            assert inside not in answer.body
    assert not site.told


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x", "\xff",
     "multipart/form-data; boundary=x", "application/x-msgpack",
     "application/json; charset=utf-16"],
)  # fmt: skip
async def test_a_wrong_content_type_is_never_an_error_of_ours(
    site: Site, content_type: str
) -> None:
    body = b'{"username":"a","password":"b"}'
    headers = [("Content-Type", content_type)]
    # 503: read as JSON all the same, and the database is away.
    assert (await site.ask("POST", LOGIN, headers=headers, body=body)).status == 503
    assert (await site.ask("POST", LOGIN, headers=headers, body=b"a=b&c=d")).status == 400
    assert not site.told


async def test_a_body_over_one_mebibyte_is_413(site: Site) -> None:
    size = (1 << 20) + 1
    told = await site.ask("POST", LOGIN, headers=JSON, body=b" " * size)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b" " * size)
    headers = [*JSON, ("Transfer-Encoding", "chunked")]
    untold = await site.ask("POST", LOGIN, headers=headers, body=chunks)
    for answer in (told, untold):
        assert answer.status == 413
        assert answer.header("content-type") == "application/problem+json"
        assert answer.json()["error"]
    just_right = b'{"username":"a","password":"b"}'.ljust(1 << 20)
    assert (await site.ask("POST", LOGIN, headers=JSON, body=just_right)).status == 503


async def test_a_size_that_lies_is_refused(site: Site) -> None:
    for size in ("99999999999999999999", "-1", "1e3", "1048577"):
        head = f"POST {LOGIN} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        assert (await site.exchange(head.encode())).status in {400, 413}


async def failures(site: Site, number: int) -> list[int]:
    """The pause after each of so many failures, in whole seconds."""
    pauses = []
    for _ in range(number):
        assert (await site.login("asha", "wrong")).status == 401
        wait_s = site.throttle.wait_s("user asha")
        pauses.append(int(wait_s))
        if wait_s:
            answer = await site.login("asha", WORD)
            assert answer.status == 429
            assert answer.header("retry-after") == str(int(wait_s))
        site.clock.advance(wait_s)
    return pauses


async def test_s03_a_failed_login_pauses_longer_each_time_and_never_for_good(stored: Site) -> None:
    await enrol(stored)
    assert await failures(stored, 11) == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (await stored.login("asha", WORD)).status == 200
    # A right password makes all forgotten.
    assert await failures(stored, 3) == [0, 0, 1]


async def test_s03_an_address_is_slowed_over_many_names(stored: Site) -> None:
    await enrol(stored)
    statuses = [(await stored.login(f"name {number}", "x")).status for number in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert (await stored.login("asha", WORD)).status == 429
    stored.clock.advance(1)
    assert (await stored.login("asha", WORD)).status == 200


async def test_s03_ones_own_password_does_not_free_the_address_to_guess_others(
    stored: Site,
) -> None:
    await enrol(stored)
    for number in range(3):
        assert (await stored.login(f"name {number}", "x")).status == 401
    for number, wait_s in enumerate((1, 2, 4)):
        stored.clock.advance(wait_s)
        assert (await stored.login("asha", WORD)).status == 200
        assert (await stored.login(f"other {number}", "x")).status == 401
        assert (await stored.login("asha", WORD)).status == 429
    # Others behind the same address do not wait for ever.
    stored.clock.advance(1000)
    for number in range(3):
        assert (await stored.login(f"late {number}", "x")).status == 401


async def test_s03_a_forwarding_header_does_not_make_another_address(stored: Site) -> None:
    await enrol(stored)
    statuses = []
    for number in range(5):
        body = json.dumps({"username": f"name {number}", "password": "x"}).encode()
        headers = [
            *JSON,
            ("X-Forwarded-For", f"10.0.0.{number}"),
            ("X-Real-IP", f"10.0.0.{number}"),
        ]
        statuses.append((await stored.ask("POST", LOGIN, headers=headers, body=body)).status)
    assert statuses == [401, 401, 401, 429, 429]


async def test_tries_that_come_together_are_slowed_too(stored: Site) -> None:
    await enrol(stored)
    answers = await asyncio.gather(*(stored.login("asha", "wrong") for _ in range(15)))
    statuses = [each.status for each in answers]
    # Three are free; each of the slots may have let in one more.
    assert 3 <= statuses.count(401) <= 5
    assert statuses.count(429) == 15 - statuses.count(401)


async def test_s01_logins_wait_in_a_bounded_line_and_delay_nobody_else(stored: Site) -> None:
    await UserStore(stored.database).add("asha", QUICK.hash(WORD), Role.VIEWER)
    held = Held()
    stored.passwords._hasher = held
    logins = asyncio.gather(*(stored.login(f"name {n}", "x") for n in range(60)))
    await until(lambda: stored.passwords._waiting == WAITING_LOGINS_LIMIT)
    for _ in range(20):
        assert (await stored.get("/api/monitoring/progress")).status == 200
    assert stored.passwords._waiting == WAITING_LOGINS_LIMIT
    held.go.set()
    refused = [each for each in await logins if each.status == 429]
    words = {each.json()["error"] for each in refused}
    assert "too many logins at once" in words
    assert all(each.header("retry-after") for each in refused)
    assert stored.passwords._waiting == 0


async def test_a_try_that_is_cut_off_gives_its_place_back(stored: Site) -> None:
    await enrol(stored)
    body = b'{"username":"asha","password":"wrong"}'
    head = f"POST {LOGIN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for _ in range(40):
        _, writer = await asyncio.open_connection("127.0.0.1", stored.port)
        writer.write(head + body)
        await writer.drain()
        writer.transport.abort()
    stored.clock.advance(61)
    async with asyncio.timeout(PATIENCE_S):
        while (await stored.login("asha", WORD)).status != 200:
            stored.clock.advance(61)
    assert stored.passwords._waiting == 0


async def test_the_line_of_waiting_logins_is_twenty_long() -> None:
    passwords = Passwords()
    passwords._hasher = QUICK
    made = await passwords.hash(WORD)
    tries = [passwords.verify(made, WORD) for _ in range(25)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, ApiError)]
    assert (len(refused), outcomes.count(True)) == (5, 20)
    assert {each.status for each in refused} == {429}
    assert await passwords.verify(made, WORD)


def test_f29_the_throttle_keeps_a_bounded_number_of_names() -> None:
    clock = StillClock()
    throttle = Throttle(clock)
    for number in range(20_000):
        throttle.failed(f"user {number}")
    assert len(throttle._failures) == 10_000
    for _ in range(3):
        throttle.failed("user 19999")
    assert throttle.wait_s("user 19999", "user 1") == 2.0
    assert throttle.wait_s("user 1") == 0.0
    throttle.succeeded("user 19999", "never seen")
    assert throttle.wait_s("user 19999") == 0.0


def test_a_pause_is_never_longer_than_a_minute() -> None:
    clock = StillClock()
    throttle = Throttle(clock)
    for _ in range(5000):
        throttle.failed("user asha")
    assert throttle.wait_s("user asha") == 60.0
    clock.advance(60)
    assert throttle.wait_s("user asha") == 0.0
