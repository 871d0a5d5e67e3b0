"""Campaigns: written, checked, let go, watched."""

from campaigns.admin import campaigns, enrolments, materials, media_files, recipients, sops

__all__ = ["campaigns", "enrolments", "materials", "media_files", "recipients", "sops"]
