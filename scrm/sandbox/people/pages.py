"""Members and customers who open a page of the app."""

from urllib.parse import urlencode, urlsplit

from scrm.sandbox.people.acting import Actor, ActRefused, act

STATE_BYTES = 128


class PageActs(Actor):
    @act
    def opens_page(
        self,
        visitor: str,
        redirect_uri: str = "",
        *,
        state: str = "",
        private: bool = False,
        consents: bool = True,
    ) -> dict[str, str]:
        """Let a member or a person outside open a page through the platform's authorisation.

        Returns the code and the address the browser is sent to. With `private` the page asks for
        private facts, to which the member `consents` or not.
        """
        host = urlsplit(redirect_uri).netloc
        if self.world.options.trusted_domain not in {"", host}:
            raise ActRefused(f"{host!r} is not the app's trusted domain (50001)")
        if len(state) > STATE_BYTES or (state and not (state.isascii() and state.isalnum())):
            raise ActRefused("a state is up to 128 letters and digits")
        member = self.world.find_member(visitor)
        outsider = "" if member else self.person(visitor).external_userid
        visit = self.world.oauth.open_page(
            userid=member.userid if member else "",
            external_userid=outsider,
            is_private=private,
            consents=consents,
        )
        self.world.ledger.append("oauth.opened", visitor=visitor, redirect_uri=redirect_uri)
        joint = "&" if "?" in redirect_uri else "?"
        query = urlencode({"code": visit.code, "state": state})
        return {"code": visit.code, "url": f"{redirect_uri}{joint}{query}"}
