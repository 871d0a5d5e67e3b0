"""People who act in a WeCom client or in the console, and thereby cause callback events."""

from scrm.sandbox.people.acquisition import AcquisitionActs
from scrm.sandbox.people.acting import ActRefused
from scrm.sandbox.people.cards import CardActs
from scrm.sandbox.people.chats import ChatActs
from scrm.sandbox.people.console import ConsoleActs
from scrm.sandbox.people.contact_ways import ContactWayActs
from scrm.sandbox.people.contacts import ContactActs
from scrm.sandbox.people.fetching import FetchingActs
from scrm.sandbox.people.greeting import GreetingActs
from scrm.sandbox.people.handover import HandoverActs
from scrm.sandbox.people.moments import MomentActs
from scrm.sandbox.people.pages import PageActs
from scrm.sandbox.people.rooms import RoomActs
from scrm.sandbox.people.sending import SendingActs
from scrm.sandbox.people.service import ServiceActs
from scrm.sandbox.people.staff import StaffActs
from scrm.sandbox.people.tags import TagActs
from scrm.sandbox.people.talks import TalkActs

__all__ = ["ActRefused", "People"]


class People(
    ContactActs,
    ContactWayActs,
    AcquisitionActs,
    GreetingActs,
    SendingActs,
    ChatActs,
    CardActs,
    FetchingActs,
    HandoverActs,
    MomentActs,
    PageActs,
    RoomActs,
    ConsoleActs,
    ServiceActs,
    StaffActs,
    TagActs,
    TalkActs,
):
    """Every act by its name; arguments and results are JSON values."""
