"""People who act in a WeCom client or in the console, and thereby cause callback events."""

from scrm.sandbox.people.acting import ActRefused
from scrm.sandbox.people.chats import ChatActs
from scrm.sandbox.people.contacts import ContactActs
from scrm.sandbox.people.sending import SendingActs
from scrm.sandbox.people.staff import StaffActs
from scrm.sandbox.people.tags import TagActs

__all__ = ["ActRefused", "People"]


class People(ContactActs, SendingActs, ChatActs, StaffActs, TagActs):
    """Every act by its name; arguments and results are JSON values."""
