"""The admin's pages of groups; importing them registers them."""

from groups.admin import chats, join_codes, tags

__all__ = ["chats", "join_codes", "tags"]
