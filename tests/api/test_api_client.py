"""A command's client against the real server: address, login, refusals, exit codes."""

from pathlib import Path

import pytest
from serving import SECRET, Site

from ic3.app.address import note_address
from ic3.cli import _code_of
from ic3.cli.client import client, running_server
from ic3.errors import AnswerError, LoginError, ServerAway
from ic3.settings import Settings


def settings_of(place: Path, *, port: int = 1, secret: str | None = SECRET) -> Settings:
    return Settings(data_dir=place, jwt_secret=secret, port=port)


async def test_a_command_asks_as_the_account_at_the_terminal(site: Site, tmp_path: Path) -> None:
    async with client(settings_of(tmp_path, port=site.port), site.clock) as asked:
        answer = await asked.get("/api/monitoring/live", serial_number="nothing", tag=None)
    assert answer["monitoring"] == []


async def test_the_address_that_the_server_left_comes_before_the_settings(
    site: Site, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path, secret=None)
    (tmp_path / "jwt.secret").write_text(SECRET)
    note_address(settings, "0.0.0.0", site.port)
    server = running_server(settings, site.clock)
    assert (server.address, server.socket_address) == (
        f"http://127.0.0.1:{site.port}", f"ws://127.0.0.1:{site.port}",
    )  # fmt: skip
    assert SECRET not in repr(server)
    async with client(settings, site.clock) as asked:
        assert "progress" in str(await asked.get("/api/openapi.json"))


async def test_a_refusal_is_told_with_its_words(site: Site, tmp_path: Path) -> None:
    async with client(settings_of(tmp_path, port=site.port), site.clock) as asked:
        with pytest.raises(AnswerError, match="server: ") as caught:
            await asked.send("POST", "/api/inbox/ignore", {"kind": "tag"})
        assert (caught.value.status, _code_of(caught.value)) == (422, 1)


async def test_another_secret_is_a_matter_of_login(site: Site, tmp_path: Path) -> None:
    other = settings_of(tmp_path, port=site.port, secret="x" * 40)
    async with client(other, site.clock) as asked:
        with pytest.raises(LoginError) as caught:
            await asked.get("/api/stats")
    assert _code_of(caught.value) == 4
    assert "x" * 40 not in str(caught.value)


async def test_no_server_is_said_to_be_away(site: Site, tmp_path: Path) -> None:
    async with client(settings_of(tmp_path), site.clock) as asked:
        with pytest.raises(ServerAway, match=r"http://127\.0\.0\.1:1 does not answer") as caught:
            await asked.get("/api/stats")
    assert _code_of(caught.value) == 5
    with pytest.raises(ServerAway, match="none has run on"):
        running_server(settings_of(tmp_path, secret=None))
