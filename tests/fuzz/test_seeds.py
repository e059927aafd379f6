"""Every parser that is fuzzed, over what the fuzzer begins with, and the fuzzer itself where atheris can be had.

New inputs are looked for by `./fab fuzz`: a test says the same of the same code each time.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.harnesses import FOLDER, NAMES, load, seeds

ROOT = FOLDER.parent.parent


@pytest.mark.parametrize("name", NAMES)
def test_parser_when_given_what_is_kept_then_no_promise_is_broken(name: str) -> None:
    one = load(name)
    kept = seeds(name)
    assert len(kept) >= 8
    assert len(set(kept)) == len(kept)
    assert sum(map(len, kept)) < 30_000, "seeds are to be small"
    for seed in kept:
        for data in (seed, seed[: len(seed) // 2], seed[::-1], seed + b"\0\xff", seed * 3):
            one(data)


def test_harnesses_when_listed_then_each_has_a_file_and_seeds() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__main__", "harnesses", "test_seeds"}
    assert files == set(NAMES) == {path.stem for path in FOLDER.glob("seeds/*.txt")}


if importlib.util.find_spec("atheris") is not None:

    @pytest.mark.parametrize("name", NAMES)
    def test_fuzzer_when_it_goes_through_the_seeds_then_no_promise_is_broken(
        name: str, tmp_path: Path
    ) -> None:
        ended = fuzz(name, tmp_path)
        assert ended.returncode == 0, ended.stderr[-3000:]
        assert "Done " in ended.stderr

    def fuzz(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "tests.fuzz", name, "0", str(folder)]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
