"""What pages weigh and nobody gains from: defaults spelled out in MathML, comments, indents of scripts and styles."""

from __future__ import annotations

import re

NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'   # html needs none, and it weighs 14 kB on a long page
FORMULA = re.compile(r'<math display="(?P<display>inline|block)"><semantics>(?P<math>.*?)'
                     r'<annotation encoding="application/x-tex">(?P<tex>.*?)</annotation></semantics></math>', re.S)
MROW = re.compile(r"<(/?)mrow>")
MATH = re.compile(r"<math\b.*?</math>", re.S)
TALL = re.compile(r"<m(?:sub|sup|under|over|frac|sqrt|root|table|multiscripts|padded|style)")
TAG = re.compile(r"<[^>]*>")
DEFAULTS = [(re.compile(pattern), replacement) for pattern, replacement in (
    (r'(<mo\b[^>]*?) form="(?:prefix|postfix)">([][(){}⟨⟩⌊⌋⌈⌉])<', r"\1>\2<"),        # these have one form only
    (r'<mo stretchy="true"( form="(?:prefix|postfix)")?>([][(){}⟨⟩⌊⌋⌈⌉|‖])<', r"<mo\1>\2<"),                       # as fences do
    (r'<mi mathvariant="normal">([^<]{2,})<', r"<mi>\1<"),                             # so are names of several letters
    (r'<(m[iot]\w*) mathvariant="(?!normal)[\w-]+">', r"<\1>"),                        # the letters themselves say it
    (r'<mtd columnalign="center" style="text-align: center">', "<mtd>"),               # as cells are
    (r'<mtd columnalign="\w+" style="text-align: (left|right); padding-\1: 0">', r'<mtd class="flush \1">'),
    (r'<mtd columnalign="\w+" style="text-align: (left|right)">', r'<mtd class="\1">'),
    (r"(<mspace [^>]*)></mspace>", r"\1/>"),
    (r'(<(?:section|h[1-6])\b[^>]*?) data-number="[^"]*"', r"\1"),                     # it stands in the heading
    (r'(<section\b[^>]*?) class="level\d"', r"\1"), (r'(<div\b[^>]*?) data-export="true"', r"\1"),
    (r'<td style="text-align: right;">', '<td class="n">'))]
MODULE = re.compile(r'(<script type="module">)(.*?)(</script>)', re.S)
JS_COMMENT = re.compile(r"^[ \t]*(?:/\*\*?(?:(?!\*/).)*\*/[ \t]*|//[^\n]*)$\n?", re.M | re.S)
CSS = re.compile(r"""("[^"\n]*"|'[^'\n]*'|url\([^)]*\))|/\*.*?\*/|\s*([{};,])\s*|(?<=[\w)-]):\s+|\s+""", re.S)


def page(text: str) -> str:
    """A page's html without what says nothing; a formula has its TeX as an attribute, for the copy script."""
    text = FORMULA.sub(formula, text.replace(NAMESPACE, ""))
    for pattern, replacement in DEFAULTS:
        text = pattern.sub(replacement, text)
    text = MATH.sub(flat, text)
    return MODULE.sub(lambda found: found[1] + script(found[2]) + found[3], text)


def formula(found: re.Match[str]) -> str:
    """A formula with its TeX as an attribute, unless an inline one shows just that: a fifth of its weight less."""
    tex, shown = found["tex"].replace('"', "&quot;"), TAG.sub("", found["math"]).replace("−", "-")
    block = ' display="block"' if found["display"] == "block" else ""
    kept = f' data-tex="{tex}"' if block or re.sub(r"\s", "", tex) != shown else ""
    return f"<math{block}{kept}>{_unwrapped(found['math'])}</math>"


def flat(found: re.Match[str]) -> str:
    """Brackets in a formula without anything tall have nothing to stretch to, and need not be told not to."""
    return found[0] if TALL.search(found[0]) else found[0].replace(' stretchy="false"', "")


def _unwrapped(math: str) -> str:
    """Without the row around the whole: <math> is one itself."""
    depth = 0
    for tag in MROW.finditer(math):
        depth += -1 if tag[1] else 1
        if not depth:
            whole = math.startswith("<mrow>") and tag.end() == len(math)
            return math[len("<mrow>"):tag.start()] if whole else math
    return math


def script(text: str) -> str:
    """A script without the lines that are comments, and without indents."""
    return re.sub(r"^[ \t]+|\n(?=\n)", "", JS_COMMENT.sub("", text), flags=re.M)


def style(text: str) -> str:
    """A style sheet without comments and needless spaces."""
    return CSS.sub(_css, text).strip()


def _css(found: re.Match[str]) -> str:
    return found[1] or found[2] or ("" if found[0].startswith("/*") else ":" if found[0][0] == ":" else " ")
