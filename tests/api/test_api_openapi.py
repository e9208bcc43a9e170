"""The OpenAPI document says enough for somebody who reads nothing else."""

from typing import Any

import pytest
from serving import Site

from ic3.api import ROUTES
from ic3.domain.attachments import ENDINGS


@pytest.fixture
async def paths(site: Site) -> dict[str, Any]:
    answer = (await site.get("/api/openapi.json")).json()
    found: dict[str, Any] = answer["paths"]
    return found


def operations(paths: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, each) for path, methods in paths.items() for method, each in methods.items()
    ]


def parameters(operation: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each for each in operation.get("parameters", ())}


async def test_every_operation_says_what_it_does(paths: dict[str, Any]) -> None:
    assert len(operations(paths)) == len(ROUTES)
    for path, method, operation in operations(paths):
        assert operation.get("description"), (method, path)
        assert operation["description"].startswith(operation["summary"]), (method, path)


async def test_every_operation_says_who_may(paths: dict[str, Any]) -> None:
    wanted = {(each.path, each.method): each.role for each in ROUTES}
    found = {each["x-least-role"] for _, _, each in operations(paths)}
    assert found == {"everybody", "viewer", "operator", "engineer", "admin"}
    assert paths["/api/auth/login"]["post"]["x-least-role"] == "everybody"
    assert paths["/api/users"]["post"]["x-least-role"] == str(wanted["/api/users", "POST"])


async def test_what_takes_a_file_says_which(paths: dict[str, Any]) -> None:
    taken = {
        path: list(each["requestBody"]["content"]) for path, _, each in operations(paths)
        if "binary" in str(each.get("requestBody"))
    }  # fmt: skip
    assert taken == {
        "/api/alarm-rules/import": ["text/csv"],
        "/api/register/import": ["text/csv"],
        "/api/gis/network/import": ["text/plain", "application/geo+json"],
        "/api/work-orders/{order_id}/attachments": [*ENDINGS, "multipart/form-data"],
    }


async def test_what_wants_if_match_says_where_the_tag_comes_from(paths: dict[str, Any]) -> None:
    wanting = [path for path, _, each in operations(paths) if "If-Match" in parameters(each)]
    assert "/api/assets/{serial_number}" in wanting
    for _, _, each in operations(paths):
        if "If-Match" in parameters(each):
            assert "ETag" in parameters(each)["If-Match"]["description"]
    for path in ("/api/assets/{serial_number}", "/api/work-orders/{order_id}"):
        assert "ETag" in paths[path]["get"]["responses"]["200"]["headers"]


async def test_every_list_with_a_cursor_has_next_and_link(site: Site) -> None:
    document = (await site.get("/api/openapi.json")).json()
    lists = [each for _, _, each in operations(document["paths"]) if "cursor" in parameters(each)]
    assert len(lists) > 12
    for each in lists:
        good = each["responses"]["200"]
        assert "Link" in good["headers"], each["operationId"]
        name = good["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert "next" in document["components"]["schemas"][name]["properties"], name


async def test_bodies_say_what_their_fields_mean(site: Site) -> None:
    schemas = (await site.get("/api/openapi.json")).json()["components"]["schemas"]
    assert "`tag_code`" in schemas["NewPlanRequest"]["description"]
    assert "paise" in schemas["PartRequest"]["description"]


async def test_the_document_says_what_holds_for_all_routes(site: Site) -> None:
    words = (await site.get("/api/openapi.json")).json()["info"]["description"]
    for each in ("cursor=next", "If-Match", "Idempotency-Key", "RFC 3339", "problem+json"):
        assert each in words
