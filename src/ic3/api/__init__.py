"""The HTTP API: the route table, one file a resource."""

from typing import Final

from ic3.api import (
    audit,
    auth,
    cmms,
    health,
    history,
    inbox,
    monitoring,
    quarantine,
    replays,
    runs,
    states,
    telemetry,
)
from ic3.api.server import EVERYBODY, Route
from ic3.domain.users import Role

ROUTES: Final = (
    Route("POST", "/api/auth/login", auth.login, EVERYBODY),
    Route("POST", "/api/ws-ticket", auth.ws_ticket, Role.VIEWER),
    Route("GET", "/api/monitoring/progress", monitoring.progress, Role.VIEWER),
    Route("GET", "/api/monitoring/runs/{run_id:int}", runs.explain, Role.VIEWER),
    Route("GET", "/api/monitoring/live", monitoring.live, Role.VIEWER),
    Route("GET", "/api/monitoring/history", history.read, Role.VIEWER),
    Route("GET", "/api/telemetry", telemetry.newest, Role.VIEWER),
    Route("GET", "/api/stats", telemetry.stats, Role.VIEWER),
    Route("GET", "/api/assets/states", states.states, Role.VIEWER),
    Route("GET", "/api/feed/events", states.events, Role.VIEWER),
    Route("GET", "/api/cmms/assets/{serial_number:str}", cmms.asset, Role.VIEWER),
    Route("GET", "/api/inbox", inbox.listed, Role.ENGINEER),
    Route("GET", "/api/inbox/suggestions", inbox.suggestions, Role.ENGINEER),
    Route("POST", "/api/inbox/map", inbox.map_tag, Role.ENGINEER),
    Route("DELETE", "/api/inbox/map", inbox.unmap, Role.ENGINEER),
    Route("POST", "/api/inbox/map-kind", inbox.map_kind, Role.ENGINEER),
    Route("POST", "/api/inbox/ignore", inbox.ignore, Role.ENGINEER),
    Route("POST", "/api/inbox/register", inbox.register, Role.ENGINEER),
    Route("POST", "/api/parameters", inbox.create_parameter, Role.ENGINEER),
    Route("GET", "/api/replays", replays.listed, Role.ENGINEER),
    Route("POST", "/api/replays", replays.start, Role.ENGINEER),
    Route("POST", "/api/replays/{replay_id:int}/cancel", replays.cancel, Role.ENGINEER),
    Route("GET", "/api/quarantine", quarantine.listed, Role.ENGINEER),
    Route("GET", "/api/quarantine/{item_id:int}", quarantine.one, Role.ENGINEER),
    Route("POST", "/api/quarantine/replay", quarantine.replay, Role.ENGINEER),
    Route("POST", "/api/quarantine/purge", quarantine.purge, Role.ADMIN),
    Route("GET", "/api/audit", audit.newest, Role.ADMIN),
    Route("GET", "/api/openapi.json", health.openapi, Role.VIEWER, local=True),
    Route("GET", "/metrics", health.metrics, Role.VIEWER, local=True),
    Route("GET", "/livez", health.alive, EVERYBODY),
    Route("GET", "/readyz", health.ready, EVERYBODY),
)
