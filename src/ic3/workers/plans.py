"""Make the orders of preventive plans, and look whether measured values have returned."""

from typing import Final
from zoneinfo import ZoneInfo

from ic3.clock import Clock
from ic3.domain.plans import Basis, Plan, due_to_make
from ic3.domain.returns import Returns
from ic3.errors import ApiError, Contended, Refused, TooSlow
from ic3.observations import Observe, PlanFailed, PlannedOrders
from ic3.store.attachment_files import AttachmentFiles
from ic3.store.attachments import AttachmentStore
from ic3.store.idempotency import trim_keys
from ic3.store.plans import PlanStore
from ic3.store.work_orders import WorkOrderStore

EVERY_S: Final = 60.0
COUNT_S: Final = 3600.0
PAGE: Final = 500
# Of one plan in one round; a plan that has more goes on in the next.
ORDERS_A_ROUND: Final = 20


class Plans:
    """One round looks at every plan; what is due is made exactly once, whatever broke off."""

    name = "plans"
    every_s: float | None = EVERY_S

    def __init__(
        self, *, plans: PlanStore, orders: WorkOrderStore, attachments: AttachmentStore,
        files: AttachmentFiles, returns: Returns, zone: ZoneInfo, clock: Clock, observe: Observe,
    ) -> None:  # fmt: skip
        self._plans = plans
        self._orders = orders
        self._attachments = attachments
        self._files = files
        self._returns = returns
        self._zone = zone
        self._clock = clock
        self._observe = observe
        self._counted: float | None = None

    async def step(self) -> None:
        """Look at values, then at plans; once an hour count run hours and tidy up."""
        await self._look_at_values()
        now = self._clock.monotonic()
        hourly = self._counted is None or now - self._counted >= COUNT_S
        await self._make_orders(hourly=hourly)
        if hourly:
            await trim_keys(self._plans.database, self._clock.now())
            await self._drop_orphans()
            self._counted = now

    async def _look_at_values(self) -> None:
        watched = await self._orders.watched()
        changed = self._returns.changed(watched, now_us=self._clock.now_us())
        if changed:
            await self._orders.set_returned(changed)

    async def _make_orders(self, *, hourly: bool) -> None:
        made, after, full = 0, 0, True
        while full:
            page = await self._plans.page(None, limit=PAGE, after=after, active=True)
            for plan in page:
                try:
                    made += await self._make(plan, hourly=hourly)
                except ApiError as error:
                    self._observe(PlanFailed(plan.id, f"{error}; {error.detail}"))
                except (Contended, Refused, TooSlow) as error:
                    self._observe(PlanFailed(plan.id, str(error)))
            full = len(page) == PAGE
            after = page[-1].id if page else after
        if made:
            self._observe(PlannedOrders(made))

    async def _make(self, plan: Plan, *, hourly: bool) -> int:
        """Make what is due of a plan; answers how many orders."""
        hours = None
        if plan.basis is Basis.RUN_HOURS:
            if hourly:
                hours = await self._plans.count_hours(plan, self._clock.now())
            else:
                hours = (await self._plans.newest_hours([plan.id])).get(plan.id)
        made = 0
        for _ in range(ORDERS_A_ROUND):
            due = due_to_make(plan, self._zone, hours, self._clock.now())
            if due is None:
                break
            number = await self._plans.make_order(plan, due, hours, at=self._clock.now())
            made += number is not None
            plan = await self._plans.one(plan.id, None)
        return made

    async def _drop_orphans(self) -> None:
        """Delete files whose row was never written, or is gone."""
        known = await self._attachments.places()
        now_s = self._clock.now_us() / 1e6
        await self._files.sweep(await self._files.orphans(known, now_s=now_s))
