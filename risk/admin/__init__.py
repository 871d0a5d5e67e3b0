"""Risk in the admin: the queue of incidents, the archive, the rules."""

from risk.admin import incidents, lexicons, messages, rules

__all__ = ["incidents", "lexicons", "messages", "rules"]
