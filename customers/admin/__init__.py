"""Customers, what is known of them, and the staff who follow them."""

from customers.admin import (
    channel_rules,
    customers,
    handover,
    handover_items,
    handover_waiting,
    segments,
    staff,
    stage_rules,
    stages,
    tags,
)

__all__ = [
    "channel_rules",
    "customers",
    "handover",
    "handover_items",
    "handover_waiting",
    "segments",
    "staff",
    "stage_rules",
    "stages",
    "tags",
]
