"""Campaigns: written, checked, let go, watched."""

from campaigns.admin import campaigns, enrolments, materials, recipients, sops

__all__ = ["campaigns", "enrolments", "materials", "recipients", "sops"]
