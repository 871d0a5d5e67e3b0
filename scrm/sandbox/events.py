"""Callback events in the platform's XML."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape


class Xml(str):
    """A value that is XML already."""

    __slots__ = ()


Value = str | int | list[str]


@dataclass(frozen=True)
class Event:
    """One event; `fields` keep the documented order of elements.

    `bare` names the elements that the platform sends without CDATA besides numbers, `without`
    those of every event that this one has not.
    """

    name: str
    create_time: int
    fields: dict[str, Value]
    bare: frozenset[str] = field(default=frozenset())
    without: frozenset[str] = field(default=frozenset())

    @property
    def is_about_staff(self) -> bool:
        return self.name == "change_contact"

    def as_xml(self, corp_id: str) -> str:
        head: dict[str, Value] = {
            "ToUserName": corp_id,
            "FromUserName": "sys",
            "CreateTime": self.create_time,
            "MsgType": "event",
            "Event": self.name,
        }
        fields = {n: v for n, v in (head | self.fields).items() if n not in self.without}
        body = "".join(self._element(name, value) for name, value in fields.items())
        return f"<xml>{body}</xml>"

    def _element(self, name: str, value: Value) -> str:
        if isinstance(value, list):
            inner = "".join(f"<Item>{escape(item)}</Item>" for item in value)
        elif isinstance(value, Xml):
            inner = value
        elif isinstance(value, int) or name in self.bare:
            inner = escape(str(value))
        else:
            inner = write_cdata(value)
        return f"<{name}>{inner}</{name}>"


def write_cdata(text: str) -> str:
    # "]]>" would end the section, so it is split over two.
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def contact_event(change: str, userid: str, external_userid: str, at: int, **more: str) -> Event:
    fields: dict[str, Value] = {
        "ChangeType": change,
        "UserID": userid,
        "ExternalUserID": external_userid,
    }
    extra = {name: value for name, value in more.items() if value}
    return Event("change_external_contact", at, fields | extra)


def chat_event(change: str, chat_id: str, at: int, **more: Value) -> Event:
    return Event("change_external_chat", at, {"ChatId": chat_id, "ChangeType": change} | more)


def acquisition_event(change: str, at: int, **more: Value) -> Event:
    fields: dict[str, Value] = {"ChangeType": change}
    return Event("customer_acquisition", at, fields | {n: v for n, v in more.items() if v != ""})


def tag_event(change: str, any_id: str, tag_type: str, at: int) -> Event:
    fields: dict[str, Value] = {"Id": any_id}
    if tag_type:
        fields["TagType"] = tag_type
    return Event("change_external_tag", at, fields | {"ChangeType": change})


def staff_event(change: str, at: int, **fields: Value) -> Event:
    return Event("change_contact", at, {"ChangeType": change} | fields, frozenset({"ChangeType"}))
