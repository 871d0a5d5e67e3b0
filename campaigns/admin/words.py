"""What the figures of a campaign are called, and how they are coloured."""

from typing import Any

from django.utils.translation import gettext_lazy as _

STATUS_TONES = {
    "draft": "grey",
    "pending_approval": "amber",
    "scheduled": "blue",
    "planning": "blue",
    "asked": "blue",
    "partly_confirmed": "teal",
    "done": "green",
    "cancelled": "grey",
    "failed": "red",
}
RECIPIENT_TONES = {
    "excluded": "grey",
    "planned": "blue",
    "failed": "red",
    "asked": "amber",
    "confirmed": "teal",
    "delivered": "green",
    "not_friend": "red",
    "quota": "amber",
    "cancelled": "grey",
}
TASK_TONES = {
    "planned": "grey",
    "asked": "amber",
    "confirmed": "green",
    "cancelled": "grey",
    "failed": "red",
}
# The steps everybody further on has passed too, in order.
STEPS: dict[str, Any] = {
    "planned": _("planned"),
    "asked": _("asked"),
    "confirmed": _("confirmed"),
    "delivered": _("delivered"),
}
STEP_NOTES: dict[str, Any] = {
    "planned": _("customers the message is meant for"),
    "asked": _("a member of staff was asked to send it"),
    "confirmed": _("the member of staff confirmed sending"),
    "delivered": _("the platform says it arrived"),
}
# Where a message stopped, the most fixable first: (name, tone).
LOSSES: dict[str, tuple[Any, str]] = {
    "unsent": (_("asked, staff have not confirmed"), "scrm-amber"),
    "quota": (_("customer's quota of mass messages used up"), "scrm-amber"),
    "not_friend": (_("no longer a friend"), "scrm-red"),
    "failed": (_("refused by the platform when asked"), "scrm-red"),
    "cancelled": (_("cancelled before it was asked"), "scrm-grey"),
}
# The same of a campaign to chats, where the words differ.
CHAT_STEP_NOTES: dict[str, Any] = {
    **STEP_NOTES,
    "planned": _("chats the message is meant for"),
    "asked": _("the chat's owner was asked to send it"),
    "confirmed": _("the chat's owner confirmed sending"),
}
CHAT_LOSSES: dict[str, tuple[Any, str]] = {
    **LOSSES,
    "unsent": (_("asked, not sent to the chat"), "scrm-amber"),
    "quota": (_("chat's quota of mass messages used up"), "scrm-amber"),
}
FIGURES: dict[str, Any] = {
    **STEPS,
    **{word: name for word, (name, _tone) in LOSSES.items()},
    "excluded": _("excluded"),
}

KIND_WORDS: dict[str, Any] = {
    "link": _("link"),
    "image": _("picture"),
    "miniprogram": _("mini-program"),
    "video": _("video"),
    "file": _("file"),
}
FIELD_WORDS: dict[str, Any] = {
    "title": _("title"),
    "url": _("address"),
    "desc": _("description"),
    "picurl": _("address of the cover picture"),
    "file": _("file"),
    "media_id": _("media_id"),
    "pic_url": _("address of the picture"),
    "pic_file": _("cover"),
    "pic_media_id": _("media_id of the cover"),
    "appid": _("appid"),
    "page": _("page"),
}
