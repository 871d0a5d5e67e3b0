"""A storm over the running product: `python -m tests.chaos.storm --seed 1 --seconds 60`.

Web, two workers and beat run as processes, the sandbox stands for the platform. While the office
asks, tags and hands over and people live their lives, processes get SIGKILL, the broker loses its
messages, PostgreSQL goes away, answers are lost and callbacks come twice, late, never, or in
another order. Then the weather clears, and both sides are compared entirely.

Prints a line of figures, and with --json one JSON object; exits with 1 when the sides differ.
"""

import argparse
import json
import sys

import django

from tests.chaos.ground import prepared


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.chaos.storm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true", help="one JSON object as last line")
    options = parser.parse_args()
    with prepared() as ground:
        django.setup()
        # The models can be imported only now.
        from tests.chaos.play import play  # noqa: PLC0415

        outcome = play(ground, seed=options.seed, seconds=options.seconds)
    sys.stderr.write("".join(f"{line}\n" for line in (outcome.line, *outcome.disagreements)))
    if options.json:
        sys.stdout.write(json.dumps(outcome.as_json()) + "\n")
    return 1 if outcome.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
