"""Python listings in html: keywords in <b>, strings in <i>, comments, defined names and values in <c-c>, <c-n>, <c-v>.

Pandoc's own highlighter takes three quarters of the time of writing a chapter (0.24 of 0.32 s of CPU), Pygments hardly
less; one regular expression takes 0.01 s. It marks what a reader looks for and leaves operators, numbers and builtins
alone, a third of the markup. An element of its own weighs half of a span with a class and less: 30 kB on the longest
page (the W3C sets its specifications so). Other languages stay plain.
"""

from __future__ import annotations

import keyword
import re
from html import escape, unescape

LISTING = re.compile(r'<pre class="(?P<classes>python\b[^"]*)"(?P<rest>[^>]*)><code>(?P<code>.*?)</code></pre>', re.S)
TOKEN = re.compile(r"""
    (?P<c> \#[^\n]*)
  | (?P<i> (?:\b[rbfuRBFU]{1,2})? (?: \"{3}.*?\"{3} | '{3}.*?'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'))
  | (?P<n> ^[ \t]*@[\w.]+)
  | (?P<name> (?:(?<=def\ )|(?<=class\ ))\w+ | (?<![\w.])[A-Za-z_]\w*)
""", re.X | re.S | re.M)
KINDS = dict.fromkeys(keyword.kwlist, "b") | dict.fromkeys(("True", "False", "None"), "c-v")


def listings(text: str) -> str:
    """The html with every Python listing marked up."""
    return LISTING.sub(_listing, text)


def _listing(found: re.Match[str]) -> str:
    return (f'<div class="sourceCode"><pre class="sourceCode {found["classes"]}"{found["rest"]}>'
            f'<code>{marked(unescape(found["code"]))}</code></pre></div>')


def marked(code: str) -> str:
    """The code as html with an element around each token that has a kind."""
    out, at = [], 0
    for token in TOKEN.finditer(code):
        kind = _kind(token, code)
        out += [escape(code[at:token.start()], quote=False), _element(kind, token[0])]
        at = token.end()
    return "".join([*out, escape(code[at:], quote=False)])


def _kind(token: re.Match[str], code: str) -> str:
    if token.lastgroup != "name":
        return {"c": "c-c", "n": "c-n"}.get(token.lastgroup, token.lastgroup)
    if code.endswith(("def ", "class "), 0, token.start()):
        return "c-n"
    return KINDS.get(token[0], "")


def _element(kind: str, text: str) -> str:
    return f"<{kind}>{escape(text, quote=False)}</{kind}>" if kind else escape(text, quote=False)
