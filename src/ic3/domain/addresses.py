"""What an address says of where its owner is."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine; a name other than `localhost` is not."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


# Where clouds hand out credentials; some of them lie in ranges that are otherwise ordinary.
METADATA: Final = frozenset(
    ip_address(text)
    for text in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16",
                 "fd00:ec2::254", "fd20:ce::254")
)  # fmt: skip
NAT64: Final = IPv6Network("64:ff9b::/96")


def refusal_of(host: str, *, allow_private: bool) -> str | None:
    """Why an address is not called by a webhook; None where it may be.

    Args:
        host: The address that is about to be connected to, as digits.
        allow_private: Whether addresses of the own network and of this machine may be called.
    """
    try:
        given = ip_address(host.partition("%")[0])
    except ValueError:
        return "no address"
    for address in _meant(given):
        if address in METADATA or address.is_link_local:
            return "a link-local or metadata address"
        if address.is_multicast or address.is_unspecified or _is_reserved(address):
            return "an address of no single machine"
        if not allow_private and not address.is_global:
            return "a private address"
    return None


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """An address, and the IPv4 addresses that an IPv6 one leads to."""
    found = [address]
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            found = []  # the form itself is private by the book; what it leads to decides
        found += [each for each in inner if each is not None]
    return found


def _is_reserved(address: IPv4Address | IPv6Address) -> bool:
    """The rest of what nobody has: class E with broadcast, and 0.0.0.0/8, which is this machine."""
    if isinstance(address, IPv4Address):
        return address.packed[0] == 0 or address.packed[0] >= 240
    return address.is_reserved and not address.is_loopback and address not in NAT64
