"""Every route of the table with every role, and the document that lists them."""

import json
import re
from typing import Any

import pytest
from serving import Site, serving, until

from ic3.api import ROUTES
from ic3.api.server import EVERYBODY, Route
from ic3.domain.users import Role

FORWARDED = [("X-Forwarded-For", "10.1.2.3")]
LOCAL = [each for each in ROUTES if each.local]
ROLES = [None, *Role]


async def nothing() -> None:
    """A handler that needs a role of its own."""


EXTRA = tuple(Route("GET", f"/api/for/{role}", nothing, role) for role in Role)


def address(line: Route) -> str:
    return re.sub(r"\{\w+:str\}", "x", re.sub(r"\{\w+:int\}", "1", line.path))


def plain(line: Route) -> str:
    """The path as the document spells it."""
    return re.sub(r":\w+\}", "}", line.path)


def open_to(line: Route, role: Role | None) -> int:
    """What the table says: 401 or 403 where it refuses, otherwise 0."""
    if line.role is EVERYBODY:
        return 0
    if role is None:
        return 401
    order = ["viewer", "operator", "engineer", "admin"]
    return 0 if order.index(role) >= order.index(line.role) else 403


async def test_s18_every_route_is_open_to_whom_the_table_names_and_nobody_else() -> None:
    async with serving(routes=(*ROUTES, *EXTRA)) as site:
        for line in (*ROUTES, *EXTRA):
            for role in ROLES:
                token = site.token(role) if role else None
                endless = line.path == "/api/stream" and not open_to(line, role)
                ask = site.head if endless else site.ask
                answer = await ask(line.method, address(line), token=token, headers=FORWARDED)
                refused = answer.status if answer.status in {401, 403} else 0
                assert refused == open_to(line, role), f"{line.method} {line.path} as {role}"
                assert answer.status in {200, 204, 400, 401, 403, 404, 415, 422, 428, 503}
                if refused:
                    assert answer.header("content-type") == "application/problem+json"
                    error = {401: "login required", 403: "forbidden"}[refused]
                    assert answer.json()["error"] == error
        await site.settle(0)
        await until(lambda: site.numbered.clients == 0)


async def test_hot_reads_obey_the_role_of_the_table() -> None:
    routes = [
        line._replace(role=Role.ENGINEER) if line.path.startswith("/api/monitoring/") else line
        for line in ROUTES
    ]
    async with serving(routes=routes) as site:
        for path in ("/api/monitoring/progress", "/api/monitoring/live?serial_number=x"):
            answers = [await site.ask("GET", path, token=site.token(role)) for role in Role]
            assert [each.status for each in answers] == [403, 403, 200, 200]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", ["/schema", "/schema/openapi.json", "/schema/swagger", "/schema/"])
async def test_s18_what_is_not_in_the_table_is_closed_to_everybody(
    site: Site, path: str, role: Role | None
) -> None:
    answer = await site.ask("GET", path, token=site.token(role) if role else None)
    assert answer.status == 403
    assert answer.json()["error"] == "forbidden"


@pytest.mark.parametrize("line", LOCAL, ids=lambda line: line.path)
async def test_a_direct_caller_on_loopback_needs_no_login_for(site: Site, line: Route) -> None:
    assert (await site.ask("GET", line.path)).status == 200


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-real-ip", "FORWARDED", "X-FORWARDED-FOR"])
@pytest.mark.parametrize("line", LOCAL, ids=lambda line: line.path)
async def test_s39_a_forwarded_caller_needs_a_login_for(site: Site, line: Route, name: str) -> None:
    for value in ("10.1.2.3", "127.0.0.1", "for=127.0.0.1", ""):
        headers = [(name, value)]
        assert (await site.ask("GET", line.path, headers=headers)).status == 401
        assert (await site.get(line.path, headers=headers)).status == 200


def test_s39_only_metrics_and_the_document_are_open_on_loopback() -> None:
    assert {each.path for each in LOCAL} == {
        "/metrics", "/api/openapi.json", "/api/asyncapi.json",
    }  # fmt: skip


def test_everybody_may_log_in_and_ask_for_health_and_nothing_else() -> None:
    paths = {each.path for each in ROUTES if each.role is EVERYBODY}
    assert paths == {"/api/auth/login", "/api/auth/refresh", "/livez", "/readyz"}


async def test_metrics_have_one_true_content_type(site: Site) -> None:
    content_type = (await site.ask("GET", "/metrics")).header("content-type")
    assert content_type == "text/plain; version=1.0.0; charset=utf-8"


async def document(site: Site) -> dict[str, Any]:
    answer = await site.get("/api/openapi.json")
    assert answer.header("content-type") == "application/json"
    found = json.loads(answer.body)
    assert isinstance(found, dict)
    return found


async def test_s39_the_document_lists_exactly_the_route_table(site: Site) -> None:
    paths = (await document(site))["paths"]
    listed = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert listed == {(each.method, plain(each)) for each in ROUTES}


async def test_the_document_is_openapi_3_1_and_asks_for_a_token(site: Site) -> None:
    found = await document(site)
    assert found["openapi"].startswith("3.1")
    assert found["security"] == [{"bearer": []}]
    for line in ROUTES:
        operation = found["paths"][plain(line)][line.method.lower()]
        assert operation["responses"]
        # An empty requirement is one that everybody meets.
        assert operation.get("security") == ([{}] if line.role is None else None)


async def test_every_reference_of_the_document_leads_somewhere(site: Site) -> None:
    found = await document(site)

    def walk(node: object) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                place: Any = found
                for step in reference.removeprefix("#/").split("/"):
                    place = place[step]
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(found)


async def test_the_document_shows_nothing_of_the_machinery(site: Site) -> None:
    text = json.dumps(await document(site))
    for word in ("password_hash", "StoreError", "NamedDependency", "reads", "registers", "/work/"):
        assert word not in text
