"""What opens nothing: tickets of an ended login, paths spelt otherwise; S12, S14, S24."""

import pytest
from serving import Site
from test_api_live_socket import UPGRADE

from ic3.api.live import Admission
from ic3.domain.access import Access, Known
from ic3.domain.users import Principal, Role

WHO = Principal("asha", Role.VIEWER, 2e9, None, "login", 1)
ENDED = Known({"asha": 1}, frozenset({"login"}), {})


class Writer:
    """The server's end of a wire that only notes how it was closed."""

    def __init__(self) -> None:
        self.closed: list[tuple[int, str]] = []

    def write(self, frames: bytes) -> None:
        raise AssertionError(frames)

    def buffered(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


@pytest.mark.parametrize("path", ["/ws", "/ws/v1", "/api/stream"])
async def test_s12_a_ticket_of_an_ended_login_opens_nothing(site: Site, path: str) -> None:
    site.access.replace(Known({"asha": 1}, frozenset(), {}))
    ticket = site.tickets.make(WHO)
    site.access.replace(ENDED)
    headers = [] if path == "/api/stream" else UPGRADE
    answer = await site.head("GET", f"{path}?ticket={ticket}", headers=headers)
    assert answer.status == 401


def test_s12_a_login_that_ends_while_a_socket_opens_closes_it() -> None:
    access, writer = Access(), Writer()
    admission = Admission(
        verify=lambda _: None, use_ticket=lambda _: None, origins=(), insecure=False,
        access=access, observe=lambda _: None,
    )  # fmt: skip
    access.replace(ENDED)
    with admission.held(WHO, writer):
        assert writer.closed == [(1008, "the login has ended")]


@pytest.mark.parametrize("path", ["/api/stream/", "/api/stream//", "//api/stream", "/api//stream"])
async def test_s14_a_stream_is_refused_to_another_origin_however_it_is_spelt(
    site: Site, path: str
) -> None:
    answer = await site.head("GET", path, token=site.token(), headers=[("Origin", "http://evil")])
    assert answer.status in {403, 404}


@pytest.mark.parametrize("path", ["/api/audit", "/api/audit.csv"])
@pytest.mark.parametrize("name", ["who", "what", "object"])
async def test_s24_a_nul_in_a_filter_of_the_audit_log_is_refused(
    stored: Site, path: str, name: str
) -> None:
    answer = await stored.ask("GET", f"{path}?{name}=%00", token=stored.token(Role.ADMIN))
    assert answer.status == 422
