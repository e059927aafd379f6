"""What the browser does alone in a window's form, so that nothing typed waits for the server, or is lost with it.

A field for people is two: a hidden one with what is finished, one stretch a line, and the one being typed into.
Finishing, editing and removing move text between them in one step; the server only reads the outcome.
"""

from __future__ import annotations

import json
from typing import Any

import reflex as rx
from reflex_base.components.component import field
from reflex_base.event import EventSpec
from reflex_base.vars import VarData
from reflex_components_core.core.window_events import WindowEventListener
from reflex_components_core.el.elements.base import BaseHTML

from bitmail.chips import Chip
from bitmail.typed import PEOPLE, TYPING


def form_name(slot: int) -> str:
    """The name by which the browser finds the form of a window."""
    return f"composer{slot}"


def values(slot: int, *changes: rx.Var[Any]) -> rx.Var[dict[str, Any]]:
    """All that is typed in a window, after these changes; the browser keeps a spare copy of it."""
    steps = ", ".join((*(str(change) for change in changes), "Object.fromEntries(new FormData(f))"))
    data = VarData.merge(*(change._get_all_var_data() for change in changes))
    keep = f"try {{ v.loaded && sessionStorage.setItem({_spare(slot)}, JSON.stringify(v)) }} catch {{ /* full */ }}"
    expression = (
        f"(f => {{ const v = f ? ({steps}) : {{}}; {keep} return v }})(document.forms.{form_name(slot)})"
    )
    return rx.Var(_js_expr=expression, _var_type=dict[str, Any], _var_data=data)


def spare(slot: int) -> rx.Var[str]:
    """The spare copy of what was typed, as JSON, or ""; it outlives the page, not the tab."""
    return rx.Var(f'(sessionStorage.getItem({_spare(slot)}) ?? "")', _var_type=str)


def forget_spare(slot: int) -> rx.Component:
    """Where no window is open, no copy of it is kept."""
    forget = f"() => sessionStorage.removeItem({_spare(slot)})"
    return rx.el.span(hidden=True, custom_attrs={"ref": rx.Var(_js_expr=forget)})


def finish(name: str, *, only_addresses: bool = False) -> rx.Var[Any]:
    """What is being typed into a field for people is finished; if asked so, only when it may be an address."""
    holds = '.includes("@")' if only_addresses else ".trim()"
    typing = _element(name + TYPING)
    return rx.Var(f"{typing}?.value{holds} && ({_finished(name, f'{typing}.value')})", _var_type=Any)


def finish_all(*, only_addresses: bool = False) -> list[rx.Var[Any]]:
    """The same for every field for people."""
    return [finish(name, only_addresses=only_addresses) for name in PEOPLE]


def remove(name: str, chip: rx.Var[Chip]) -> rx.Var[Any]:
    """Take one piece out of a field, if it still stands where it stood."""
    line, start, end, text = (getattr(chip, part) for part in ("line", "start", "end", "text"))
    lines = (
        f'{_element(name)}.value.split("\\n").map((l, i) => i === {line!s} && l.slice({start!s}, {end!s}) === {text!s}'
        f' ? l.slice(0, {start!s}) + l.slice({end!s}) : l).join("\\n")'
    )
    return _about(chip, f"{_element(name)}.value = {lines}")


def edit(name: str, chip: rx.Var[Chip]) -> rx.Var[Any]:
    """Take one piece out of a field to type on it; what is being typed is finished first.

    The focus goes there before the text does: whatever loses it finishes what is typed.
    """
    typing = _element(name + TYPING)
    return _about(
        chip, f"{finish(name)!s}, {remove(name, chip)!s}, {typing}.focus(), {typing}.value = {chip.text!s}"
    )


def choose(name: str, text: rx.Var[str]) -> rx.Var[Any]:
    """A suggestion takes the place of what is being typed."""
    return _about(text, _finished(name, str(text)))


def upload(handler: Any, files: rx.Var[Any], *arguments: rx.Var[Any], progress: Any = None) -> EventSpec:
    """Send these files to a handler by HTTP, each time as an upload of its own."""
    spec: EventSpec = handler(rx.upload_files(upload_id="files", on_upload_progress=progress), *arguments)
    once = rx.Var('"files-" + Date.now() + "-" + Math.random()', _var_type=str)
    given = {"files": files, "upload_id": once}
    return spec.with_args(tuple((name, given.get(str(name), value)) for name, value in spec.args))


def described(files: rx.Var[Any]) -> rx.Var[list[dict[str, Any]]]:
    """Name and size of each file."""
    return _about(files, f"{files!s}.map(({{name, size}}) => ({{name, size}}))")


def _finished(name: str, text: str) -> str:
    """The text is one more line of the field, and what is being typed is nothing; whoever looks it up is told."""
    done, typing = _element(name), _element(name + TYPING)
    told = f'{typing}.dispatchEvent(new Event("input", {{bubbles: true}}))'
    return f'{done}.value += "\\n" + {text}, {typing}.value = "", {told}'


def _spare(slot: int) -> str:
    return json.dumps(f"bitmail.{form_name(slot)}")


def _element(name: str) -> str:
    return f"f.elements[{json.dumps(name)}]"


def _about(source: rx.Var[Any], expression: str) -> rx.Var[Any]:
    return rx.Var(_js_expr=expression, _var_type=list, _var_data=source._get_all_var_data())


def _key(event: rx.Var[Any]) -> tuple[rx.Var[str], rx.Var[str], rx.Var[bool]]:
    return (
        rx.Var(f"{event!s}.key").to(str),
        rx.Var(f"{event!s}.target.value").to(str),
        rx.Var(f"({event!s}.nativeEvent.isComposing || {event!s}.ctrlKey || {event!s}.metaKey)").to(bool),
    )


def _chord(event: rx.Var[Any]) -> tuple[rx.Var[str]]:
    """A key with the keys held down, such as `mod+Enter`."""
    return (
        rx.Var(f'(({event!s}.ctrlKey || {event!s}.metaKey) ? "mod+" : "") + {event!s}.key', _var_type=str),
    )


def _typed(event: rx.Var[Any]) -> tuple[rx.Var[str]]:
    return (rx.Var(f"{event!s}.target.value").to(str),)


def _pasted(event: rx.Var[Any]) -> tuple[rx.Var[Any]]:
    return (rx.Var(f"Array.from({event!s}.clipboardData.files)").to(list),)


def _dropped(event: rx.Var[Any]) -> tuple[rx.Var[Any]]:
    return (rx.Var(f"Array.from({event!s}.dataTransfer.files)").to(list),)


def _picked(event: rx.Var[Any]) -> tuple[rx.Var[Any]]:
    return (rx.Var(f"Array.from({event!s}.target.files)").to(list),)


def _nothing() -> tuple[()]:
    return ()


class ComposerForm(BaseHTML):
    """The form of a window; it is never posted."""

    tag = "form"

    name: rx.Var[str]
    no_validate: rx.Var[bool]
    auto_complete: rx.Var[str]
    on_submit: rx.EventHandler[_nothing]
    on_input: rx.EventHandler[_nothing]
    on_blur: rx.EventHandler[_nothing]
    on_paste_capture: rx.EventHandler[_pasted]
    on_drop_capture: rx.EventHandler[_dropped]
    on_drag_over: rx.EventHandler[_nothing]
    on_key_down: rx.EventHandler[_chord]


class PeopleField(rx.el.textarea.__self__):  # type: ignore[misc, name-defined]
    """Where somebody is typed: several lines, so that a pasted list keeps its line ends."""

    on_input: rx.EventHandler[_typed]
    on_key_down: rx.EventHandler[_key]


class LineField(rx.el.input.__self__):  # type: ignore[misc, name-defined]
    """A field of one line, in which Enter goes on to the next."""

    on_key_down: rx.EventHandler[_key]


class FilePicker(rx.el.input.__self__):  # type: ignore[misc, name-defined]
    """The browser's own dialog for files."""

    on_change: rx.EventHandler[_picked]


class DownloadLink(BaseHTML):
    """A link to a file: the browser fetches it, no page is opened."""

    tag = "a"

    href: rx.Var[str]
    download: rx.Var[str]


class WhenHidden(WindowEventListener):
    """The page is no longer seen: the tab is left, or closed."""

    on_visibility_change: rx.EventHandler[lambda: (rx.Var("document.hidden").to(bool),)] = field(doc="")
