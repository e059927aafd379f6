"""The editor for rich text: Jodit, from npm. It is loaded by the browser when a person asks for it."""

from __future__ import annotations

import json

import reflex as rx
from reflex_base.components.component import NoSSRComponent
from reflex_base.utils.imports import ImportVar

from bitmail.catalogue import N_
from bitmail.pages.words import ENV

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
    "link": {"noFollowCheckbox": False, "modeClassName": False},
    "language": "page",
    "disablePlugins": "add-new-line,speech-recognize,ai-assistant,xpath,stat,about,powered-by-jodit",
}
WORDS = (
    *(N_("Bold"), N_("Italic"), N_("Underline"), N_("Strike through"), N_("Undo"), N_("Redo")),
    *(N_("Insert Unordered List"), N_("Insert Ordered List"), N_("Insert format block")),
    *(N_("Fill color or set the text color"), N_("Insert link"), N_("Insert Horizontal Line")),
    *(
        N_("Paragraph"),
        N_("Heading 1"),
        N_("Heading 2"),
        N_("Heading 3"),
        N_("Heading 4"),
        N_("Quote"),
        N_("Code"),
    ),
    *(N_("Default"), N_("Circle"), N_("Dot"), N_("Square"), N_("Lower Alpha"), N_("Upper Alpha")),
    *(N_("Lower Greek"), N_("Lower Roman"), N_("Upper Roman"), N_("Background"), N_("Text")),
    *(
        N_("URL"),
        N_("Open in new tab"),
        N_("Insert"),
        N_("Update"),
        N_("Unlink"),
        N_("Open link"),
        N_("Edit link"),
    ),
    *(N_("Insert file"), N_("Edit"), N_("Delete"), N_("Horizontal align"), N_("Vertical align"), N_("Align")),
    *(N_("Left"), N_("Center"), N_("Right"), N_("Normal"), N_("Top"), N_("Middle"), N_("Bottom")),
    *(N_("Split"), N_("Merge"), N_("Add row"), N_("Add column"), N_("Press Alt for custom resizing")),
    *(N_("Insert row above"), N_("Insert row below"), N_("Insert column before"), N_("Insert column after")),
    *(N_("Delete row"), N_("Delete column"), N_("Delete table"), N_("Empty cell")),
)
"""What the editor says, as it names it itself: it looks these up where the page does."""
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
        words = "i18n: {page: env.WORDS ?? {}}"
        return [f"const {NAME} = {{...{json.dumps(CONFIGURATION)}, {words}}};"]

    def add_imports(self) -> dict[str, ImportVar]:
        """Where its words are found."""
        return ENV
