"""Customers, what is known of them, and the staff who follow them."""

from customers.admin import (
    brand_events,
    channel_rules,
    customers,
    handover,
    handover_items,
    handover_waiting,
    identities,
    orders,
    pretags,
    segments,
    staff,
    stage_rules,
    stages,
    tag_rules,
    tags,
    values,
)

__all__ = [
    "brand_events",
    "channel_rules",
    "customers",
    "handover",
    "handover_items",
    "handover_waiting",
    "identities",
    "orders",
    "pretags",
    "segments",
    "staff",
    "stage_rules",
    "stages",
    "tag_rules",
    "tags",
    "values",
]
