"""JSON to and from the control surface of a sandbox elsewhere."""

from typing import Any

import requests

SECONDS = 30


class SandboxRefused(ValueError):
    """The sandbox did not do what it was told; the text says why."""


class Wire:
    def __init__(self, control_url: str) -> None:
        self._url = control_url.rstrip("/") + "/"
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str, /, **parameters: Any) -> dict[str, Any]:
        return _read(self._session.get(self._url + path, params=parameters, timeout=SECONDS))

    def post(self, path: str, /, *, wait: float = 0, **body: Any) -> dict[str, Any]:
        """Post a JSON object; `wait` is how much longer than usual the answer may take."""
        answer = self._session.post(self._url + path, json=body, timeout=SECONDS + wait)
        return _read(answer)

    def close(self) -> None:
        self._session.close()


def _read(response: requests.Response) -> dict[str, Any]:
    answer: dict[str, Any] = response.json()
    if response.status_code != 200:
        raise SandboxRefused(answer.get("error", response.text))
    return answer
