"""The HTTP API: the route table, one file a resource."""

from typing import Final

from ic3.api import auth, cmms, health, monitoring, states, telemetry
from ic3.api.server import EVERYBODY, Route
from ic3.domain.users import Role

ROUTES: Final = (
    Route("POST", "/api/auth/login", auth.login, EVERYBODY),
    Route("POST", "/api/ws-ticket", auth.ws_ticket, Role.VIEWER),
    Route("GET", "/api/monitoring/progress", monitoring.progress, Role.VIEWER),
    Route("GET", "/api/monitoring/live", monitoring.live, Role.VIEWER),
    Route("GET", "/api/telemetry", telemetry.newest, Role.VIEWER),
    Route("GET", "/api/stats", telemetry.stats, Role.VIEWER),
    Route("GET", "/api/assets/states", states.states, Role.VIEWER),
    Route("GET", "/api/feed/events", states.events, Role.VIEWER),
    Route("GET", "/api/cmms/assets/{serial_number:str}", cmms.asset, Role.VIEWER),
    Route("GET", "/api/openapi.json", health.openapi, Role.VIEWER, local=True),
    Route("GET", "/metrics", health.metrics, Role.VIEWER, local=True),
    Route("GET", "/livez", health.alive, EVERYBODY),
    Route("GET", "/readyz", health.ready, EVERYBODY),
)
