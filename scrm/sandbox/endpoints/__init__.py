"""The endpoints of the platform, one module per area."""

from scrm.sandbox.endpoints import (  # noqa: F401 - importing a module registers its endpoints
    access,
    acquisition,
    app_messages,
    archive,
    contact_list,
    contact_sync,
    contact_ways,
    contacts,
    customer_strategy,
    directory,
    group_welcomes,
    groupchats,
    handover,
    id_conversion,
    intercept_rules,
    join_ways,
    mass_messages,
    media,
    moments,
    oauth,
    product_album,
    records,
    service,
    statistics,
    strategy_tags,
    tags,
    welcomes,
)
from scrm.sandbox.endpoints.registry import ENDPOINTS, Endpoint

__all__ = ["ENDPOINTS", "Endpoint"]
