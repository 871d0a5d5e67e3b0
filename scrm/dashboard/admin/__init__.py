"""Pages that put the parts together: corps, keys, people."""

from scrm.dashboard.admin import api_keys, corps, people

__all__ = ["api_keys", "corps", "people"]
