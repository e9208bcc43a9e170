"""Who may come in, for how long, with which rights: S4, S6, S9 to S12, S22, S45."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import argon2
import jwt
import pytest
from serving import SECRET, Answer, Site, StillClock, serving

from ic3.api.auth import COOKIE, COOKIE_HEADER, Tokens
from ic3.domain.access import Access, Known
from ic3.domain.users import TERMINAL, Principal, Role
from ic3.store.users import UserStore

WORD = "correct horse battery"
NEXT = "staple of the river bank"
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
STATS = "/api/stats"


async def enrol(site: Site, name: str = "asha", role: Role = Role.OPERATOR) -> None:
    site.passwords._hasher = QUICK
    assert await UserStore(site.database).add(name, QUICK.hash(WORD), role)
    await site.logins.reload()


async def send(
    site: Site, method: str, path: str, body: object = None, *, token: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> Answer:  # fmt: skip
    content = b"" if body is None else json.dumps(body).encode()
    return await site.ask(
        method, path, token=token, headers=[("Content-Type", "application/json"), *headers],
        body=content,
    )  # fmt: skip


async def logged_in(site: Site, name: str = "asha", word: str = WORD) -> dict[str, Any]:
    answer = await site.login(name, word)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def refreshed(site: Site, token: str) -> Answer:
    return await send(site, "POST", "/api/auth/refresh", {"refresh_token": token})


async def admitted(site: Site, token: str) -> bool:
    status = (await site.ask("GET", STATS, token=token)).status
    assert status in {200, 401}
    return status == 200


async def root(site: Site) -> str:
    """The token of an administrator who has just given the password."""
    await enrol(site, "root", Role.ADMIN)
    return str((await logged_in(site, "root"))["access_token"])


async def test_s09_a_token_names_login_epoch_and_when_the_password_was_given(stored: Site) -> None:
    await enrol(stored)
    token = (await logged_in(stored))["access_token"]
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(token, SECRET, ["HS256"], audience="ic3", issuer="ic3", options=options)
    assert set(claims) == {
        "iss", "aud", "sub", "role", "iat", "nbf", "exp", "jti", "sid", "epoch", "auth_time"
    }  # fmt: skip
    assert claims["auth_time"] == claims["iat"]
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


async def test_s10_a_refresh_token_works_once_and_opens_no_route(stored: Site) -> None:
    await enrol(stored)
    first = await logged_in(stored)
    assert not await admitted(stored, first["refresh_token"])
    answer = await refreshed(stored, first["refresh_token"])
    assert answer.status == 200
    second = answer.json()
    assert await admitted(stored, second["access_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert (await refreshed(stored, second["refresh_token"])).status == 200


async def test_s10_one_that_comes_back_ends_the_whole_family(stored: Site) -> None:
    await enrol(stored)
    first = await logged_in(stored)
    second = (await refreshed(stored, first["refresh_token"])).json()
    assert (await refreshed(stored, first["refresh_token"])).status == 401
    assert (await refreshed(stored, second["refresh_token"])).status == 401
    assert not await admitted(stored, second["access_token"])
    acts = (await stored.ask("GET", "/api/audit", token=stored.token(Role.ADMIN, "root"))).status
    assert acts == 401  # root is no user
    async with stored.database.connection() as connection:
        rows = await (await connection.execute("SELECT what FROM audit_log")).fetchall()
    assert ("refresh token reused",) in rows


async def test_s10_of_two_at_once_one_wins_and_the_login_ends(stored: Site) -> None:
    await enrol(stored)
    first = await logged_in(stored)
    answers = await asyncio.gather(*(refreshed(stored, first["refresh_token"]) for _ in range(2)))
    assert sorted(each.status for each in answers) == [200, 401]
    winner = next(each.json() for each in answers if each.status == 200)
    assert (await refreshed(stored, winner["refresh_token"])).status == 401


async def test_s10_a_login_that_is_not_used_ends(stored: Site) -> None:
    await enrol(stored)
    first = await logged_in(stored)
    stored.clock.advance(7 * 86400 + 1)
    assert (await refreshed(stored, first["refresh_token"])).status == 401


@pytest.mark.parametrize("given", ["", "x", "ä" * 50, "0" * 43])
async def test_s10_a_strange_refresh_token_is_refused(stored: Site, given: str) -> None:
    assert (await refreshed(stored, given)).status == 401


async def test_s11_two_keys_count_at_once_and_the_old_one_not_after_its_end() -> None:
    clock = StillClock()
    old = Tokens(SECRET[::-1], life_s=60, clock=clock)
    token = old.make("asha", Role.VIEWER).encode()
    both = Tokens(SECRET, life_s=60, clock=clock, previous=SECRET[::-1])
    assert both.verify(token) is not None
    assert both.verify(both.make("asha", Role.VIEWER).encode()) is not None
    assert Tokens(SECRET, life_s=60, clock=clock).verify(token) is None


@pytest.mark.parametrize(
    "kid", ["", "../../etc/passwd", "https://x/keys", "' OR 1=1 --", "\0", "a" * 4000]
)
def test_s08_a_strange_kid_is_refused(kid: str) -> None:
    tokens = Tokens(SECRET, life_s=60, clock=StillClock())
    claims = jwt.decode(tokens.make("asha", Role.ADMIN), options={"verify_signature": False})
    token = jwt.encode(claims, SECRET, "HS256", headers={"typ": "at+jwt", "kid": kid})
    assert tokens.verify(token.encode()) is None


async def test_s12_logout_ends_the_login_at_once(stored: Site) -> None:
    await enrol(stored)
    first, other = await logged_in(stored), await logged_in(stored)
    answer = await send(stored, "POST", "/api/auth/logout", token=first["access_token"])
    assert answer.status == 204
    assert not await admitted(stored, first["access_token"])
    assert (await refreshed(stored, first["refresh_token"])).status == 401
    assert await admitted(stored, other["access_token"])


async def test_s12_a_user_ends_one_of_their_own_logins_and_nobody_elses(stored: Site) -> None:
    await enrol(stored)
    await enrol(stored, "ravi")
    mine, other, his = [await logged_in(stored, name) for name in ("asha", "asha", "ravi")]
    token = mine["access_token"]
    listed = (await stored.ask("GET", "/api/auth/logins", token=token)).json()["logins"]
    assert len(listed) == 2
    me = (await stored.ask("GET", "/api/auth/me", token=other["access_token"])).json()
    path = f"/api/auth/logins/{me['login_id']}"
    assert (await send(stored, "DELETE", path, token=his["access_token"])).status == 404
    assert (await send(stored, "DELETE", path, token=token)).status == 204
    assert [await admitted(stored, each["access_token"]) for each in (mine, other, his)] == [
        True, False, True
    ]  # fmt: skip


async def test_s06_a_new_password_needs_the_old_one_and_ends_all_other_logins(
    stored: Site,
) -> None:
    await enrol(stored)
    mine, other = await logged_in(stored), await logged_in(stored)
    path, token = "/api/auth/password", mine["access_token"]
    wrong = await send(stored, "POST", path, {"old": "wrong", "new": NEXT}, token=token)
    assert wrong.status == 401
    answer = await send(stored, "POST", path, {"old": WORD, "new": NEXT}, token=token)
    assert answer.status == 200
    assert await admitted(stored, answer.json()["access_token"])
    assert not await admitted(stored, token)
    assert not await admitted(stored, other["access_token"])
    assert (await refreshed(stored, other["refresh_token"])).status == 401
    assert (await stored.login("asha", WORD)).status == 401
    assert (await stored.login("asha", NEXT)).status == 200


@pytest.mark.parametrize("weak", ["short", "asha-asha-asha", "ic3-Delhi-2026!", WORD])
async def test_s02_a_weak_password_is_not_taken(stored: Site, weak: str) -> None:
    await enrol(stored)
    token = (await logged_in(stored))["access_token"]
    body = {"old": WORD, "new": weak}
    answer = await send(stored, "POST", "/api/auth/password", body, token=token)
    assert answer.status == 422
    assert answer.json()["detail"]
    assert await admitted(stored, token)


async def test_s45_the_refresh_token_as_a_cookie_no_script_and_no_other_site_can_use(
    stored: Site,
) -> None:
    await enrol(stored)
    body = {"username": "asha", "password": WORD, "cookie": True}
    answer = await send(stored, "POST", "/api/auth/login", body)
    assert "refresh_token" not in answer.json()
    cookie = answer.header("set-cookie") or ""
    for word in (f"{COOKIE}=", "HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert word.lower() in cookie.lower()
    assert "domain=" not in cookie.lower()
    sent = ("Cookie", cookie.partition(";")[0])
    without = await send(stored, "POST", "/api/auth/refresh", {}, headers=[sent])
    assert without.status == 403
    header = (COOKIE_HEADER, "1")
    again = await send(stored, "POST", "/api/auth/refresh", {}, headers=[sent, header])
    assert again.status == 200
    assert COOKIE in (again.header("set-cookie") or "")
    left = await send(stored, "POST", "/api/auth/logout", token=again.json()["access_token"])
    assert "Max-Age=0" in (left.header("set-cookie") or "")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_s45_a_form_of_another_site_logs_nobody_in(stored: Site, kind: str | None) -> None:
    await enrol(stored)
    body = json.dumps({"username": "asha", "password": WORD, "cookie": True}).encode()
    headers = [("Content-Type", kind)] if kind else []
    answer = await stored.ask("POST", "/api/auth/login", headers=headers, body=body)
    assert (answer.status, answer.header("set-cookie")) == (415, None)


async def test_s12_a_change_of_rights_counts_at_once(stored: Site) -> None:
    admin = await root(stored)
    await enrol(stored, "ravi", Role.ENGINEER)
    his = await logged_in(stored, "ravi")
    read = await stored.ask("GET", "/api/users/ravi", token=admin)
    change = {"role": "viewer", "domains": ["DEL-D02", "DEL-D01"]}
    answer = await send(
        stored, "PATCH", "/api/users/ravi", change, token=admin,
        headers=[("If-Match", read.header("etag") or "")],
    )  # fmt: skip
    assert (answer.status, answer.json()["domains"]) == (200, ["DEL-D01", "DEL-D02"])
    assert not await admitted(stored, his["access_token"])
    renewed = (await refreshed(stored, his["refresh_token"])).json()["access_token"]
    me = (await stored.ask("GET", "/api/auth/me", token=renewed)).json()
    assert (me["role"], me["domains"]) == ("viewer", ["DEL-D01", "DEL-D02"])


async def test_s06_disabling_ends_everything_of_a_user(stored: Site) -> None:
    admin = await root(stored)
    await enrol(stored, "ravi")
    his = await logged_in(stored, "ravi")
    read = await stored.ask("GET", "/api/users/ravi", token=admin)
    match = [("If-Match", read.header("etag") or "")]
    answer = await send(
        stored, "PATCH", "/api/users/ravi", {"disabled": True}, token=admin, headers=match
    )
    assert answer.status == 200
    assert not await admitted(stored, his["access_token"])
    assert (await refreshed(stored, his["refresh_token"])).status == 401
    assert (await stored.login("ravi", WORD)).status == 401


async def test_a_change_needs_the_version_that_was_read(stored: Site) -> None:
    admin = await root(stored)
    await enrol(stored, "ravi")
    path, change = "/api/users/ravi", {"full_name": "Ravi"}
    assert (await send(stored, "PATCH", path, change, token=admin)).status == 428
    stale = [("If-Match", '"99"')]
    assert (await send(stored, "PATCH", path, change, token=admin, headers=stale)).status == 412


async def test_s22_the_last_admin_can_neither_be_demoted_nor_disabled(stored: Site) -> None:
    admin = await root(stored)
    read = await stored.ask("GET", "/api/users/root", token=admin)
    match = [("If-Match", read.header("etag") or "")]
    for change in ({"role": "viewer"}, {"disabled": True}):
        answer = await send(stored, "PATCH", "/api/users/root", change, token=admin, headers=match)
        assert answer.status == 422
        assert "last administrator" in answer.json()["detail"]


async def test_s22_two_admins_who_demote_each_other_leave_one(stored: Site) -> None:
    await root(stored)
    await enrol(stored, "second", Role.ADMIN)
    tokens = {name: (await logged_in(stored, name))["access_token"] for name in ("root", "second")}

    async def demote(by: str, whom: str) -> int:
        read = await stored.ask("GET", f"/api/users/{whom}", token=tokens[by])
        match = [("If-Match", read.header("etag") or "")]
        answer = await send(
            stored, "PATCH", f"/api/users/{whom}", {"role": "viewer"}, token=tokens[by],
            headers=match,
        )  # fmt: skip
        return answer.status

    await asyncio.gather(demote("root", "second"), demote("second", "root"))
    assert await UserStore(stored.database).has_admin()


async def test_an_added_user_is_asked_for_another_password(stored: Site) -> None:
    admin = await root(stored)
    body = {"username": "meera", "role": "operator", "password": NEXT, "domains": ["DEL-D01"]}
    assert (await send(stored, "POST", "/api/users", body, token=admin)).status == 201
    assert (await send(stored, "POST", "/api/users", body, token=admin)).status == 409
    token = await logged_in(stored, "meera", NEXT)
    assert token["must_change"] is True
    change = {"old": NEXT, "new": WORD}
    answer = await send(stored, "POST", "/api/auth/password", change, token=token["access_token"])
    assert "must_change" not in answer.json()
    assert "must_change" not in await logged_in(stored, "meera", WORD)


async def test_acts_on_rights_ask_for_the_password_again(stored: Site) -> None:
    admin = await root(stored)
    stored.clock.advance(301)
    body = {"username": "meera", "role": "viewer", "password": NEXT}
    answer = await send(stored, "POST", "/api/users", body, token=admin)
    assert (answer.status, answer.json()["error"]) == (403, "password needed again")
    again = await send(stored, "POST", "/api/auth/confirm", {"password": WORD}, token=admin)
    assert again.status == 200
    renewed = again.json()["access_token"]
    assert (await send(stored, "POST", "/api/users", body, token=renewed)).status == 201


async def test_a_key_of_a_program_has_a_role_a_scope_and_an_end(stored: Site) -> None:
    admin = await root(stored)
    body = {"name": "historian", "role": "viewer", "days": 30, "domains": ["DEL-D01"]}
    made = await send(stored, "POST", "/api/keys", body, token=admin)
    assert made.status == 201
    key = made.json()["key"]
    me = (await stored.ask("GET", "/api/auth/me", token=key)).json()
    assert (me["username"], me["role"], me["domains"]) == ("key:historian", "viewer", ["DEL-D01"])
    assert (await stored.ask("GET", "/api/users", token=key)).status == 403
    listed = await stored.ask("GET", "/api/keys", token=admin)
    assert key not in listed.body.decode()
    assert key.encode() not in b"".join(str(each).encode() for each in stored.told)
    path = f"/api/keys/{made.json()['key_id']}"
    assert (await send(stored, "DELETE", path, token=admin)).status == 204
    assert not await admitted(stored, key)


async def test_a_key_ends_by_itself(stored: Site) -> None:
    admin = await root(stored)
    body = {"name": "historian", "role": "viewer", "days": 1}
    key = (await send(stored, "POST", "/api/keys", body, token=admin)).json()["key"]
    assert await admitted(stored, key)
    stored.clock.advance(86_400 + 31)
    assert not await admitted(stored, key)


@pytest.mark.parametrize("role", ["admin", "root", ""])
async def test_a_key_is_never_an_administrator(stored: Site, role: str) -> None:
    admin = await root(stored)
    body = {"name": "k", "role": role, "days": 1}
    assert (await send(stored, "POST", "/api/keys", body, token=admin)).status == 422


@pytest.mark.parametrize(
    "extra", [{"user_id": 1}, {"epoch": 9}, {"created_by": "x"}, {"password_hash": "x"}]
)
async def test_s21_a_field_that_is_not_ones_to_set_is_refused(
    stored: Site, extra: dict[str, Any]
) -> None:
    admin = await root(stored)
    body = {"username": "meera", "role": "viewer", "password": NEXT, **extra}
    assert (await send(stored, "POST", "/api/users", body, token=admin)).status == 422
    read = await stored.ask("GET", "/api/users/root", token=admin)
    match = [("If-Match", read.header("etag") or "")]
    answer = await send(stored, "PATCH", "/api/users/root", extra, token=admin, headers=match)
    assert answer.status == 422


async def test_s36_what_people_do_stands_in_the_audit_log_and_its_chain_is_whole(
    stored: Site,
) -> None:
    admin = await root(stored)
    body = {"username": "meera", "role": "viewer", "password": NEXT}
    await send(stored, "POST", "/api/users", body, token=admin)
    acts = (await stored.ask("GET", "/api/audit?what=add%20user", token=admin)).json()["acts"]
    assert [(each["who"], each["object"], each["whence"]) for each in acts] == [
        ("root", "meera", "127.0.0.1")
    ]
    export = await stored.ask("GET", "/api/audit.csv", token=admin)
    assert (export.header("content-type") or "").startswith("text/csv")
    assert NEXT not in export.body.decode()
    found = (await stored.ask("GET", "/api/audit/verify", token=admin)).json()
    assert (found["whole"], found["broken_at"]) == (True, None)


async def test_s12_while_the_database_is_away_nobody_is_logged_out() -> None:
    async with serving() as site:
        site.access.replace(Known({"asha": 1}, frozenset(), {}))
        token = site.tokens.make("asha", Role.VIEWER, login="x")
        assert (await site.ask("GET", "/api/monitoring/progress", token=token)).status == 200


def test_a_token_of_an_older_epoch_counts_no_more() -> None:
    access = Access()
    heard = list[str]()
    access.listen(lambda: heard.append("changed"))
    access.replace(Known({"asha": 2}, frozenset({"ended"}), {}))
    access.replace(Known({"asha": 2}, frozenset({"ended"}), {}))
    assert heard == ["changed"]

    def admits(name: str, login: str | None, epoch: int) -> bool:
        return access.admits(Principal(name, Role.VIEWER, 0, None, login, epoch))

    assert admits("asha", "x", 2)
    assert not admits("asha", "x", 1)
    assert not admits("asha", "ended", 2)
    assert not admits("gone", "x", 1)
    assert not admits("asha", None, 2)
    assert admits("account", TERMINAL, 1)
