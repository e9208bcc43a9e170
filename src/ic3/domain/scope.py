"""Who may see which asset: the register says its domain, otherwise the feed does."""

from collections.abc import Iterable

from ic3.domain.latest import LatestReadings
from ic3.domain.status import Feed
from ic3.domain.users import Principal


class AssetScope:
    """Answers for assets by serial number; one that is unknown is in nobody's scope but all's."""

    def __init__(self, latest: LatestReadings, feed: Feed) -> None:
        self._latest = latest
        self._feed = feed

    def domain_of(self, serial: str) -> str | None:
        """The domain of an asset, where one is known."""
        asset = self._latest.register.assets.get(serial)
        if asset is not None and asset.domain is not None:
            return asset.domain
        return self._feed.freshness.domain_of(serial)

    def sees(self, principal: Principal, serial: str) -> bool:
        """Whether a user may see an asset."""
        return principal.domains is None or principal.sees(self.domain_of(serial))

    def serials(self, principal: Principal) -> list[str] | None:
        """Every asset that a user may see; None is all."""
        if principal.domains is None:
            return None
        known = self._latest.register.assets.keys() | set(self._feed.freshness.serials())
        return sorted(serial for serial in known if self.sees(principal, serial))

    def only(self, principal: Principal, serials: Iterable[str]) -> list[str]:
        """Of these, what a user may see."""
        return [each for each in serials if self.sees(principal, each)]
