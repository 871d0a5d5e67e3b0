"""The keys of the one made-up corp."""

from dataclasses import asdict, dataclass

from scrm.sandbox.dice import draw_text, make_dice

HEX = "0123456789abcdef"


@dataclass(frozen=True)
class Credentials:
    """What an administrator would copy from the WeCom console."""

    corp_id: str
    secret: str
    agent_id: int
    callback_token: str
    callback_aes_key: str
    # Opens the chat archive; its private keys come from the archive itself, version by version.
    archive_secret: str
    # Opens what is kept for whoever syncs the directory.
    contact_sync_secret: str

    @classmethod
    def for_seed(cls, seed: int) -> "Credentials":
        dice = make_dice("credentials", seed)
        return cls(
            corp_id="ww" + draw_text(dice, 16, HEX),
            secret=draw_text(dice, 43),
            agent_id=1_000_000 + dice.randrange(2, 1000),
            callback_token=draw_text(dice, 24),
            callback_aes_key=draw_text(dice, 43),
            archive_secret=draw_text(dice, 43),
            contact_sync_secret=draw_text(dice, 43),
        )

    def as_dict(self) -> dict[str, str | int]:
        return asdict(self)

    def create_corp_command(self, base_url: str) -> str:
        """Return the command line that connects the product to this sandbox."""
        return (
            f"python manage.py create_corp --corp-id {self.corp_id} --secret {self.secret}"
            f" --agent-id {self.agent_id} --callback-token {self.callback_token}"
            f" --callback-aes-key {self.callback_aes_key}"
            f" --archive-secret {self.archive_secret} --base-url {base_url}"
        )
