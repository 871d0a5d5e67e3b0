"""The chapters of the demonstration, each with its own figures and their twins.

Every step acts as a person would and then waits until the product, driven by its own ticks and
callbacks, has done its part. Nothing is called that the product would not call by itself.
"""

from typing import Any, Protocol

from scrm.demo.scene import Scene


class Chapter(Protocol):
    """One part of the story. `ours` is what the product says, `truth` what the platform knows.

    Both are read when everything is over, and must have the same keys.
    """

    name: str

    def play(self, scene: Scene) -> None: ...
    def ours(self, scene: Scene) -> dict[str, Any]: ...
    def truth(self, scene: Scene) -> dict[str, Any]: ...
