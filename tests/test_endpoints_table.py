"""docs/endpoints.md is what the code says."""

from scrm.sandbox.endpoints import ENDPOINTS
from tests.channels.calls import methods_of_a_channel
from tests.endpoints_table import PAGE, methods_by_path, page, rows, users_by_method


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.endpoints_table`"


def test_every_endpoint_is_answered_by_the_sandbox() -> None:
    assert len(rows()) == len(ENDPOINTS) > 50
    for row in rows():
        assert str(row).split(" | ")[1].startswith("`"), row


def test_finds_who_asks_through_private_functions() -> None:
    methods = methods_by_path()

    assert methods["externalcontact/add_msg_template"] == {"messages.ask"}
    assert methods["externalcontact/get_groupmsg_list_v2"] == {"messages.find"}
    assert "handover.transfer_customers" in methods["externalcontact/resigned/transfer_customer"]
    assert "contacts.customer" in methods["externalcontact/get"]


def test_every_method_of_a_channel_asks_something() -> None:
    """What asks nothing of the platform's own is the address of a picture."""
    asking = {method for methods in methods_by_path().values() for method in methods}

    assert methods_of_a_channel() - asking == {"media.picture"}


def test_finds_what_for() -> None:
    users = users_by_method()

    assert users["messages.ask"] == {"operation ask_mass_message"}
    assert any(name.startswith("customers.") for name in users["contacts.customer_page"])
