"""The endpoints of the platform, one module per area."""

from scrm.sandbox.endpoints import (  # noqa: F401 - importing a module registers its endpoints
    access,
    app_messages,
    archive,
    contacts,
    directory,
    groupchats,
    handover,
    join_ways,
    mass_messages,
    records,
    tags,
)
from scrm.sandbox.endpoints.registry import ENDPOINTS, Endpoint

__all__ = ["ENDPOINTS", "Endpoint"]
