"""Campaigns: written, checked, let go, watched."""

from campaigns.admin import campaigns, recipients

__all__ = ["campaigns", "recipients"]
