"""Texts that groups greet newcomers with."""

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.materials import describe_material, read_material
from scrm.sandbox.sending import Content
from scrm.sandbox.welcomes import GroupWelcome

TEXT_BYTES = 3000
KINDS = ("image", "link", "miniprogram", "file", "video")


@endpoint("POST", "externalcontact/group_welcome_template/add")
def add_group_welcome(call: Call) -> Answer:
    content, book = _read(call), call.world.group_welcomes
    is_told = call.integer("notify", 1)
    if is_told not in {0, 1}:
        raise Refused(40058, "notify")
    if len(book.templates) >= call.world.options.group_welcome_limit:
        raise Refused(41055)
    template = GroupWelcome(call.world.mint_id("msg"), content)
    book.templates[template.template_id] = template
    _note(call, "added", template, members_told=bool(is_told))
    return {"template_id": template.template_id}


@endpoint("POST", "externalcontact/group_welcome_template/edit")
def edit_group_welcome(call: Call) -> Answer:
    template = _find(call)
    template.content = _read(call)
    _note(call, "edited", template)
    return {}


@endpoint("POST", "externalcontact/group_welcome_template/get")
def get_group_welcome(call: Call) -> Answer:
    return describe_material(call.world, _find(call).content)


@endpoint("POST", "externalcontact/group_welcome_template/del")
def delete_group_welcome(call: Call) -> Answer:
    template = _find(call)
    del call.world.group_welcomes.templates[template.template_id]
    _note(call, "deleted", template)
    return {}


def _find(call: Call) -> GroupWelcome:
    template_id = call.text("template_id")
    template = call.world.group_welcomes.templates.get(template_id)
    if template is None:
        raise Refused(40058, "template_id")
    if template.in_console:
        raise Refused(41058)
    return template


def _read(call: Call) -> Content:
    content = read_material(call, call.parameters, KINDS, text_bytes=TEXT_BYTES)
    if not (content.text or content.attachments):
        raise Refused(40063, f"text, {', '.join(KINDS)}")
    return content


def _note(call: Call, what: str, template: GroupWelcome, **more: bool) -> None:
    call.world.ledger.append(
        f"group_welcome.{what}",
        template_id=template.template_id,
        text=template.content.text,
        **more,
    )
