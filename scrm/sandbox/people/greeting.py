"""What the console and group owners do about greetings."""

from scrm.sandbox.people.acting import Actor, ActRefused, act
from scrm.sandbox.sending import Content
from scrm.sandbox.welcomes import GroupWelcome


class GreetingActs(Actor):
    @act
    def set_console_welcome(self, userid: str, *, enabled: bool) -> None:
        """Let the console greet a member's new customers, which leaves apps without codes."""
        member = self.member(userid)
        member.has_console_welcome = enabled
        self.world.ledger.append("staff.console_welcome", userid=member.userid, enabled=enabled)

    @act
    def set_chat_welcome(self, chat_id: str, template_id: str = "") -> None:
        """Let the owner choose what a group greets newcomers with; "" is nothing."""
        chat = self.chat(chat_id)
        if template_id and template_id not in self.world.group_welcomes.templates:
            raise ActRefused(f"no group welcome {template_id!r}")
        self.world.group_welcomes.attach(chat.chat_id, template_id)
        self.world.ledger.append(
            "chat.welcome_chosen", chat_id=chat.chat_id, template_id=template_id
        )

    @act
    def group_welcome_in_console(self, text: str) -> str:
        """Write a group welcome that no app may change; return its id."""
        template = GroupWelcome(self.world.mint_id("msg"), Content(text, []), in_console=True)
        self.world.group_welcomes.templates[template.template_id] = template
        self.world.ledger.append(
            "group_welcome.written_in_console", template_id=template.template_id, text=text
        )
        return template.template_id
