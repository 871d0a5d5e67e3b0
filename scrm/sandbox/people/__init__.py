"""People who act in a WeCom client or in the console, and thereby cause callback events."""

from scrm.sandbox.people.acting import ActRefused
from scrm.sandbox.people.chats import ChatActs
from scrm.sandbox.people.contacts import ContactActs
from scrm.sandbox.people.handover import HandoverActs
from scrm.sandbox.people.sending import SendingActs
from scrm.sandbox.people.staff import StaffActs
from scrm.sandbox.people.tags import TagActs
from scrm.sandbox.people.talks import TalkActs

__all__ = ["ActRefused", "People"]


class People(ContactActs, SendingActs, ChatActs, HandoverActs, StaffActs, TagActs, TalkActs):
    """Every act by its name; arguments and results are JSON values."""
