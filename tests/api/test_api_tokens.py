"""What opens a route, and that everything else gets one and the same answer."""

import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import closing
from typing import Any

import jwt
import pytest
from serving import NOW_US, SECRET, Site, serving

from ic3.api.auth import Tokens
from ic3.clock import Clock
from ic3.domain.users import Role

NOW_S = NOW_US // 1_000_000
PATHS = ["/api/monitoring/progress", "/api/stats", "/api/monitoring/live?serial_number=x"]
CLAIMS: dict[str, Any] = {
    "iss": "ic3", "aud": "ic3", "sub": "asha", "role": "admin", "iat": NOW_S, "nbf": NOW_S,
    "exp": NOW_S + 600, "jti": "1",
}  # fmt: skip
PEM = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----\n"


def part(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def made(header: dict[str, Any], claims: dict[str, Any], key: str = SECRET) -> str:
    """A token signed by HMAC-SHA256, whatever its header says."""
    signed = part(header) + b"." + part(claims)
    signature = hmac.new(key.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def good(**changed: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not ...}
    return made({"alg": "HS256", "typ": "at+jwt"}, claims)


def headed(**changed: Any) -> str:
    header = {"alg": "HS256", "typ": "at+jwt", **changed}
    return made({name: value for name, value in header.items() if value is not ...}, CLAIMS)


REFUSED = {
    "no token at all": None,
    "empty": "",
    "not a token": "x",
    "two dots": "..",
    "half a token": good().rpartition(".")[0],
    "a cut signature": good()[:-2],
    "a signature of another key": made({"alg": "HS256", "typ": "at+jwt"}, CLAIMS, SECRET[::-1]),
    "changed claims": good().split(".")[0] + "." + part(CLAIMS | {"sub": "x"}).decode() + ".AAAA",
    "none": jwt.encode(CLAIMS, None, "none", headers={"typ": "at+jwt"}),
    "none with a signature": headed(alg="none"),
    "None": headed(alg="None"),
    "no algorithm": headed(alg=...),
    "algorithm as a list": headed(alg=["HS256"]),
    "HS384": jwt.encode(CLAIMS, SECRET * 2, "HS384", headers={"typ": "at+jwt"}),
    "HS512": jwt.encode(CLAIMS, SECRET * 2, "HS512", headers={"typ": "at+jwt"}),
    "RS256 signed with our secret": headed(alg="RS256"),
    "ES256 signed with our secret": headed(alg="ES256"),
    "HS256 signed with a public key": made({"alg": "HS256", "typ": "at+jwt"}, CLAIMS, PEM),
    "RS256 signed with a public key": made({"alg": "RS256", "typ": "at+jwt"}, CLAIMS, PEM),
    "typ JWT": headed(typ="JWT"),
    "a refresh token": headed(typ="rt+jwt"),
    "no typ": headed(typ=...),
    "typ as a list": headed(typ=["at+jwt"]),
    "an unknown critical header": headed(crit=["x"], x=1),
    "its own key": headed(jwk={"kty": "oct", "k": base64.b64encode(b"k" * 32).decode()}) + "A",
    "another audience": good(aud="other"),
    "another issuer": good(iss="other"),
    "an unknown role": good(role="root"),
    "no role": good(role=...),
    "a role of another kind": good(role=["admin"]),
    "not yet good": good(nbf=NOW_S + 31),
    "ended": good(exp=NOW_S - 30),
    "ended long ago": good(exp=1),
    "an end that is no number": good(exp="never"),
    **{f"without {claim}": good(**{claim: ...}) for claim in CLAIMS if claim != "role"},
    "nested a hundred thousand deep": (b"[" * 100_000).decode() + ".e30.e30",
    "a header nested deep": base64.urlsafe_b64encode(b'{"typ":' + b"[" * 20_000).decode(),
    "claims that are a list": made({"alg": "HS256", "typ": "at+jwt"}, [1]),  # type: ignore[arg-type]
    "not ASCII": good() + "\u00ff",
}  # fmt: skip


async def test_s07_every_bad_token_gets_the_answer_of_no_token() -> None:
    seen = set()
    async with serving() as site:
        for name, token in REFUSED.items():
            for path in PATHS:
                answer = await site.ask("GET", path, token=token)
                assert answer.status == 401, f"{name} at {path}"
                assert answer.header("www-authenticate") == "Bearer"
                body = answer.json()
                assert body.pop("request_id") == answer.header("x-request-id")
                seen.add((json.dumps(body), answer.header("content-type")))
        assert len(seen) == 1
        assert not site.told


async def test_a_token_of_ours_opens_every_path(site: Site) -> None:
    for path in PATHS:
        assert (await site.get(path)).status == 200
        assert (await site.ask("GET", path, token=good())).status == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
async def test_the_scheme_is_read_in_any_case(site: Site, scheme: str) -> None:
    headers = [("Authorization", f"{scheme} {site.token()}")]
    assert (await site.ask("GET", "/api/stats", headers=headers)).status == 200


@pytest.mark.parametrize("start", ["", "Basic ", "Token ", "Bearer  ", "Bearer,"])
async def test_another_scheme_is_no_token(site: Site, start: str) -> None:
    headers = [("Authorization", start + site.token())]
    assert (await site.ask("GET", "/api/stats", headers=headers)).status == 401


async def test_a_token_in_the_query_or_a_cookie_is_no_token(site: Site) -> None:
    token = site.token()
    for name in ("token", "access_token", "jwt"):
        assert (await site.ask("GET", f"/api/stats?{name}={token}")).status == 401
        cookie = [("Cookie", f"{name}={token}")]
        assert (await site.ask("GET", "/api/stats", headers=cookie)).status == 401


async def test_s08_headers_that_name_a_key_are_ignored_and_nothing_is_fetched(site: Site) -> None:
    asked: list[object] = []
    bait = await asyncio.start_server(lambda *taken: asked.append(taken), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{bait.sockets[0].getsockname()[1]}/keys"
    names = {"kid": "../../etc/passwd", "jku": url, "x5u": url, "x5c": ["QQ=="], "jwk": {"k": "QQ"}}
    with closing(bait):
        for name, value in names.items():
            # `kid` is looked up in our own table, where this one is not; the others are ignored.
            status = 401 if name == "kid" else 200
            answer = await site.ask("GET", "/api/stats", token=headed(**{name: value}))
            assert answer.status == status
            forged = made({"alg": "HS256", "typ": "at+jwt", name: value}, CLAIMS, "k" * 32)
            assert (await site.ask("GET", "/api/stats", token=forged)).status == 401
        for kid in ("' OR 1=1 --", url, "/dev/null", "\0"):
            forged = made({"alg": "HS256", "typ": "at+jwt", "kid": kid}, CLAIMS, "")
            assert (await site.ask("GET", "/api/stats", token=forged)).status == 401
    assert not asked


@pytest.mark.parametrize("path", PATHS)
async def test_s09_a_token_ends_at_its_time_with_thirty_seconds_of_leeway(
    site: Site, path: str
) -> None:
    token = site.token()
    site.clock.advance(629.9)
    assert (await site.ask("GET", path, token=token)).status == 200
    site.clock.advance(0.1)
    assert (await site.ask("GET", path, token=token)).status == 401
    site.clock.advance(-0.1)
    assert (await site.ask("GET", path, token=good(nbf=NOW_S + 659))).status == 200


def test_s09_a_token_carries_the_full_set_of_claims() -> None:
    token = Tokens(SECRET, life_s=600, clock=Clock()).make("asha", Role.OPERATOR)
    header = jwt.get_unverified_header(token)
    assert (header.pop("alg"), header.pop("typ"), list(header)) == ("HS256", "at+jwt", ["kid"])
    claims = jwt.decode(token, SECRET, ["HS256"], audience="ic3", issuer="ic3")
    assert set(claims) == set(CLAIMS) | {"sid", "epoch", "auth_time"}
    assert (claims["sub"], claims["role"]) == ("asha", "operator")
    assert claims["exp"] - claims["iat"] == 600


def test_no_two_tokens_share_their_id() -> None:
    tokens = Tokens(SECRET, life_s=600, clock=Clock())
    assert len({tokens.make("asha", Role.VIEWER) for _ in range(100)}) == 100
