"""A field of addresses, parted into what stands for one address each, before any of it is understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

BLANK = " \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
LINE_END = re.compile(r"\r\n|\r|\n")
BLANKS = re.compile(f"[{BLANK}]+")
SEPARATOR = re.compile("[;,；，]")
PLAIN = re.compile(f'[^;,；，"(<{BLANK}]+')
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
PARENTHESIS = re.compile(r"\\.|[()]", re.DOTALL)
ANGLE = re.compile(r'<(?:[^<>"]|"(?:[^"\\]|\\.)*")*>', re.DOTALL)


class Kind(Enum):
    """What a token of a field of addresses is."""

    WORD = auto()
    COMMENT = auto()
    ANGLE = auto()
    SEPARATOR = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A word with its quoted parts, a comment, an angle bracket with what is in it, or a separator."""

    kind: Kind
    text: str
    has_at: bool = False
    has_open_quote: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """The tokens that stand for one address, right or wrong."""

    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The piece as typed, blanks made even."""
        return " ".join(token.text for token in self.tokens)

    @property
    def specification(self) -> str:
        """What should be `local@domain`: what is in the angle brackets, else the only word, else ""."""
        for token in self.tokens:
            if token.kind is Kind.ANGLE:
                return token.text[1:-1].strip()
        words = [token.text for token in self.tokens if token.kind is Kind.WORD]
        return words[0] if len(words) == 1 else ""

    @property
    def name(self) -> str:
        """The display name: what is before the angle brackets, else the comment (an older way)."""
        has_angle = any(token.kind is Kind.ANGLE for token in self.tokens)
        words: list[str] = []
        for token in self.tokens:
            if token.kind is Kind.ANGLE:
                break
            if has_angle:
                words.append(unquoted(token.text) if token.kind is Kind.WORD else token.text)
            elif token.kind is Kind.COMMENT:
                words.append(unescaped(token.text[1:-1]).strip())
        return " ".join(words)


def split_addresses(text: str) -> Iterator[Piece]:
    """Part a field into what stands for one address each, before any of it is understood."""
    for line in LINE_END.split(text):
        pending: list[Token] = []
        complete = False
        tokens = _tokens(line)
        for index, token in enumerate(tokens):
            if complete and token.kind is not Kind.COMMENT:
                yield Piece(tuple(pending))
                pending, complete = [], False
            if token.kind is Kind.SEPARATOR:
                if pending:
                    yield Piece(tuple(pending))
                    pending = []
                continue
            pending.append(token)
            followed_by_angle = index + 1 < len(tokens) and tokens[index + 1].kind is Kind.ANGLE
            complete = complete or token.kind is Kind.ANGLE or (token.has_at and not followed_by_angle)
        if pending:
            yield Piece(tuple(pending))


def _tokens(line: str) -> Sequence[Token]:
    """The tokens of one line.

    What opens and is not closed is an ordinary character, on this whole line: to look for its end once more
    at each of its kind would take quadratic time.
    """
    tokens: list[Token] = []
    word: list[str] = []
    has_at = has_open_quote = False
    openers = set('"(<')
    position = 0

    def finish_word() -> None:
        nonlocal has_at, has_open_quote
        if word:
            text = "".join(word)
            tokens.append(Token(Kind.WORD, text, has_at and text != "@", has_open_quote))
            word.clear()
        has_at = has_open_quote = False

    while position < len(line):
        character = line[position]
        if match := BLANKS.match(line, position):
            finish_word()
        elif match := SEPARATOR.match(line, position):
            finish_word()
            tokens.append(Token(Kind.SEPARATOR, character))
        elif match := PLAIN.match(line, position):
            word.append(match[0])
            has_at = has_at or "@" in match[0]
        elif character in openers:
            end = _closing(line, position)
            if end is None:
                openers.discard(character)
                continue
            text = line[position:end]
            position = end
            if character == '"':
                word.append(text)
            else:
                finish_word()
                tokens.append(Token(Kind.COMMENT if character == "(" else Kind.ANGLE, text))
            continue
        else:
            word.append(character)
            has_open_quote = has_open_quote or character == '"'
            position += 1
            continue
        position = match.end()
    finish_word()
    return tokens


def _closing(line: str, start: int) -> int | None:
    """Where what opens at `start` ends, or None."""
    if line[start] == "(":
        depth = 0
        for match in PARENTHESIS.finditer(line, start):
            depth += {"(": 1, ")": -1}.get(match[0], 0)
            if depth == 0:
                return match.end()
        return None
    closed = (QUOTED if line[start] == '"' else ANGLE).match(line, start)
    return closed.end() if closed else None


def unquoted(text: str) -> str:
    """The text without the quotation marks around its quoted parts."""
    return QUOTED.sub(lambda match: unescaped(match[0][1:-1]), text)


def unescaped(text: str) -> str:
    """The text without the backslashes that protect a character."""
    return ESCAPED.sub(r"\1", text)
