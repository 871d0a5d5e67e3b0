"""How a figure that cannot be known is shown: never as 0."""

UNKNOWN = "—"
