"""`python -m tests.fuzz NAME SECONDS [FOLDER]`: fuzz one parser, guided by the branches that it takes.

With 0 seconds it only goes through the seeds and what earlier runs kept.

Ends with another status than 0 when an input broke a promise; that input is shown, and belongs into the seeds.
What takes new branches is kept in the folder (`var/fuzz`), and the next run begins with it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import atheris

from tests.fuzz.harnesses import NAMES, load, seeds

INPUT = 4096
"""Octets of an input at most: faults of form show in small ones, and those of size have tests of their own."""
SLOW = 10
"""Seconds that one input may take."""
MEMORY = 2048
"""MB."""


def main(name: str, seconds: str, folder: str = "var/fuzz") -> None:
    """Fuzz for so many seconds; does not return."""
    kept = Path(folder) / name
    kept.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["bitmail", "mta", "store", "tinycss2"]):
        one = load(name)
    begin = kept.with_suffix(".seeds")
    shutil.rmtree(begin, ignore_errors=True)
    begin.mkdir()
    for seed in seeds(name):
        (begin / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    ends = f"-max_total_time={seconds}" if int(seconds) else "-runs=0"
    options = (ends, f"-max_len={INPUT}", f"-timeout={SLOW}", f"-rss_limit_mb={MEMORY}")
    quiet = ("-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={kept.parent}/{name}-")
    atheris.Setup(
        [name, *options, *quiet, str(kept), str(begin)],
        one,
        enable_python_coverage=True,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in NAMES:
        sys.exit(f"python -m tests.fuzz NAME SECONDS [FOLDER]; there are {', '.join(NAMES)}.")
    main(*sys.argv[1:])
