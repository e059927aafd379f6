"""`python -m tests.chaos`: the crash campaign at length."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.campaign import CONTAINERS, Campaign
from tests.store.postgres import private_postgres


def main() -> int:
    """Run it on each database asked for, print what it came to, and say whether all is well."""
    parser = argparse.ArgumentParser(prog="./fab chaos")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--database", choices=[*CONTAINERS, "both"], default="both")
    words = parser.parse_args()
    faults = []
    for kind in CONTAINERS if words.database == "both" else [words.database]:
        print(f"{words.rounds} rounds on {kind}, seed {words.seed}", flush=True)
        with ExitStack() as stack:
            var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bitmail-chaos-")))
            url = (
                stack.enter_context(private_postgres())
                if kind == "postgresql"
                else f"sqlite:///{var / 'bitmail.db'}"
            )
            campaign = Campaign(var, url, seed=words.seed, say=_say)
            report = campaign.run(words.rounds)
        found = [*report.findings.faults, *report.faults]
        for fault in found[:50]:
            _say(f"FAULT {fault}")
        _say(report.line())
        faults += found
    return 1 if faults else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
