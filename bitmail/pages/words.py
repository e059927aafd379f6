"""Words on a page, in the language of who looks at it."""

from __future__ import annotations

import json

import reflex as rx
from reflex_base.utils.imports import ImportVar
from reflex_base.vars import VarData

from bitmail.state.language import LanguageState

ENV = {"$/env.json": ImportVar(tag="env", is_default=True)}
"""What the server tells a page as it comes: among it `WORDS`, those of its language where that is not English."""


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


def on_document(attribute: str, value: rx.Var[str]) -> rx.Component:
    """Sets an attribute of the document itself, once the value is known; until then it is as the page came."""
    tell = f"() => {{ if ({value!s}) document.documentElement.setAttribute({json.dumps(attribute)}, {value!s}) }}"
    return rx.el.span(
        hidden=True, custom_attrs={"ref": rx.Var(_js_expr=tell, _var_data=value._get_all_var_data())}
    )


def _known(key: str) -> rx.Var[str]:
    words = LanguageState.words
    return rx.Var(
        _js_expr=f"(({words!s} ?? env.WORDS)?.[{key}] ?? {key})",
        _var_type=str,
        _var_data=VarData.merge(words._get_all_var_data(), VarData(imports=ENV)),
    ).to(str)


def _filled(text: rx.Var[str], values: dict[str, object]) -> rx.Var[str]:
    expression, data = str(text), [text._get_all_var_data()]
    for name, value in values.items():
        given = rx.Var.create(value)
        expression += f".replace({json.dumps('{' + name + '}')}, () => {given!s})"
        data.append(given._get_all_var_data())
    return rx.Var(_js_expr=expression, _var_type=str, _var_data=VarData.merge(*data)).to(str)
