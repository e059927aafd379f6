"""The editor for rich text: Jodit, from npm. It is loaded by the browser when a person asks for it."""

from __future__ import annotations

import json

import reflex as rx
from reflex_base.components.component import NoSSRComponent

CONFIGURATION = {
    "buttons": "bold,italic,underline,strikethrough,|,ul,ol,|,paragraph,brush,|,link,hr,|,undo,redo",
    "toolbarAdaptive": False,
    "showCharsCounter": False,
    "showWordsCounter": False,
    "showXPathInStatusbar": False,
    "statusbar": False,
    "spellcheck": True,
    "showPlaceholder": False,
    "tabIndex": 0,
    "height": "100%",
    "minHeight": 200,
    "allowResizeY": False,
    "toolbarButtonSize": "small",
    "allowTabNavigation": True,
    # Each key is told at once: what is typed last is sent too.
    "defaultTimeout": 0,
    "askBeforePasteHTML": False,
    "askBeforePasteFromWord": False,
    "defaultActionOnPaste": "insert_as_html",
    "sourceEditor": "area",
    "beautifyHTML": False,
    "uploader": {"insertImageAsBase64URI": True},
    "disablePlugins": "add-new-line,speech-recognize,ai-assistant,xpath,stat,about,powered-by-jodit",
}
NAME = "bitmailEditor"


class RichEditor(NoSSRComponent):
    """Jodit with its value and its changes. Whatever comes out of it is cleaned on the server."""

    library = "jodit-react@5.5.18"
    tag = "JoditEditor"
    is_default = True

    value: rx.Var[str]
    # One object for all renderings: another one would start the editor again, and lose what is typed.
    config: rx.Var[dict[str, object]] = rx.Var(NAME, _var_type=dict)
    on_change: rx.EventHandler[lambda html: [html]]

    def add_custom_code(self) -> list[str]:
        """The configuration, once for the module."""
        return [f"const {NAME} = {json.dumps(CONFIGURATION)};"]
