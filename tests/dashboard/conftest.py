"""The same people as on the other pages of the admin."""

from tests.admin.conftest import enter, lin, mallory

__all__ = ["enter", "lin", "mallory"]
