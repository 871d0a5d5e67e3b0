"""Customers, what is known of them, and the staff who follow them."""

from customers.admin import customers, segments, staff, stages, tags

__all__ = ["customers", "segments", "staff", "stages", "tags"]
