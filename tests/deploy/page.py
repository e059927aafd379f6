"""docs/deploy.md as one who follows it reads it: what to type, in its order."""

from __future__ import annotations

import re
import textwrap
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

TEXT = (Path(__file__).parents[2] / "docs/deploy.md").read_text()
_ONCE, _EACH_TIME = TEXT.split("## Once")[1].split("## Each time")
_ACCOUNT, _SETTINGS = (textwrap.dedent(block) for block in re.findall(r"```sh\n(.*?)```", _ONCE, re.DOTALL))

ACCOUNT = _ACCOUNT
"""What root does on a new host."""
SETTINGS = {name: value or "" for name, value in dotenv_values(stream=StringIO(_SETTINGS)).items()}
"""The settings of the stage."""


def commands(text: str) -> list[str]:
    """What is to be typed on the operator's machine, by `./fab` or by what names a file of `deploy/`."""
    prose = re.sub("```.*?```", "", text, flags=re.DOTALL)
    quoted = [" ".join(words.split()) for words in re.findall("`([^`]+)`", prose)]
    return list(dict.fromkeys(words for words in quoted if re.match(r"\./fab .|[a-z-]+ .*deploy/", words)))


ONCE = commands(_ONCE)
IN_SHORT, *EACH_TIME = sorted(
    commands(_EACH_TIME), key=lambda command: "deploy_bitlab_servers" not in command
)
"""The first of them does what the second one does."""
