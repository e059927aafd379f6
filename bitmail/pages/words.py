"""Words on a page, in the language of who looks at it."""

from __future__ import annotations

import json

import reflex as rx
from reflex_base.vars import VarData

from bitmail.state.language import LanguageState


def _(text: str, /, **values: object) -> rx.Var[str]:
    """The text in the reader's language; in English where the catalogue has none.

    Args:
        text: in English, as it stands in the catalogue.
        values: for the names in braces; they may be vars.
    """
    return _filled(_known(json.dumps(text, ensure_ascii=False)), values)


def in_words(text: rx.Var[str]) -> rx.Var[str]:
    """What the state names in English, such as a status, in the reader's language."""
    found = _known(str(text))
    return found._replace(merge_var_data=text._get_all_var_data())


def lang() -> rx.Component:
    """Says on the document which language it is in, once that is known."""
    tag = LanguageState.tag
    tell = f"() => {{ if ({tag!s}) document.documentElement.lang = {tag!s} }}"
    return rx.el.span(
        hidden=True, custom_attrs={"ref": rx.Var(_js_expr=tell, _var_data=tag._get_all_var_data())}
    )


def _known(key: str) -> rx.Var[str]:
    words = LanguageState.words
    return rx.Var(
        _js_expr=f"({words!s}[{key}] ?? {key})", _var_type=str, _var_data=words._get_all_var_data()
    ).to(str)


def _filled(text: rx.Var[str], values: dict[str, object]) -> rx.Var[str]:
    expression, data = str(text), [text._get_all_var_data()]
    for name, value in values.items():
        given = rx.Var.create(value)
        expression += f".replace({json.dumps('{' + name + '}')}, () => {given!s})"
        data.append(given._get_all_var_data())
    return rx.Var(_js_expr=expression, _var_type=str, _var_data=VarData.merge(*data)).to(str)
