import pytest

from ic3.domain.addresses import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_these_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "::10", "127.evil.example", "10.0.0.1", "::ffff:10.0.0.1"]
)
def test_these_are_not(host: str) -> None:
    assert not is_loopback(host)
