"""A small book that uses every row of the contract of a page (markdown.md); `write` puts it into a folder."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from press import book as model
from press import exercises, glossary, quiz
from press.book import Book

ROOT = Path(__file__).resolve().parents[1]
SVG = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 62 40"><path d="M2 38 60 2" stroke="#0b62a4"/>'
       "<!-- {} --></svg>")
PNG = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
FRAME = ('<div><style scoped>.dataframe td {color: red}</style><table border="1" class="dataframe"><thead>'
         '<tr style="text-align: right;"><th></th><th>height (cm)</th><th>note</th></tr></thead><tbody>'
         "<tr><th>Adelie</th><td>18.3</td><td>a &lt; b &amp; c</td></tr></tbody></table></div>")
CONFIG = {"title": "Kitchen & <sink>", "subtitle": "Everything once", "author": "A. Cook",
          "repo-url": "https://github.com/example/kitchen",
          "chapters": ["index.qmd", {"part": "Firsts", "chapters": ["chapters/one/first.ipynb"]},
                       {"part": "Seconds", "chapters": ["chapters/two/second.ipynb"]},
                       "glossary.qmd", "references.qmd"],
          "appendices": ["chapters/appendix/extra.ipynb"]}
BIB = """@article{rosenblatt1958perceptron,
  author = {Rosenblatt, Frank}, title = {The perceptron}, journal = {Psychological Review}, year = {1958},
  volume = {65}, pages = {386--408}, doi = {10.1037/h0042519}}
@book{minsky1969perceptrons,
  author = {Minsky, Marvin and Papert, Seymour}, title = {Perceptrons}, publisher = {MIT Press}, year = {1969},
  url = {https://mitpress.mit.edu/9780262130431}}
"""
FRONT = """---
outcomes:
  - {id: cook, text: "Cook with $x^2$.", lines: [X01]}
  - {id: taste, text: "Taste it.", lines: [X01]}
  - {id: serve, text: "Serve it.", lines: [X01]}
prerequisites: ["Salt", "[The second chapter](../two/second.ipynb#sec-second-end)"]
---"""
SECTION = r"""## Setting the table {#sec-first-table}

The line in @fig-first-line, the numbers in @tbl-first-frame, @eq-first-norm, @thm-first-salt, @sec-first-table,
@exr-first-boil, and from elsewhere @fig-second-dot, @sec-second-end and @sec-extra.
A work [@rosenblatt1958perceptron, p. 3; @minsky1969perceptrons], and @minsky1969perceptrons say so.[^why]
See [the end](../two/second.ipynb#sec-second-end) and [the second chapter](../two/second.ipynb).

[^why]: A footnote with $y$.

$$
\lVert \mathbf{w} \rVert^2 = \sum_i w_i^2
$$ {#eq-first-norm}

Inline $a < b$ too, and $(a + b)^5 = a^5 + 5a^4b + 10a^3b^2 + 10a^2b^3 + 5ab^4 + b^5$ as well. A [sink]{.term} is a basin with a tap, of volume $V$. It holds
[dish water]{.term name="water" is="what runs from a tap, at $V > 0$"}.

### A deeper level {#sec-first-deep}

1. one
2. two
   - nested

![A hand-drawn dot](dot.png)

<details><summary>More</summary>Hidden words.</details>
"""
BLOCKS = """::: {#thm-first-salt}
## The salt theorem

Salt is salty.
:::

::: {.proof}
Taste it.
:::

::: {#lem-first-a}
A lemma.
:::

::: {#def-first-b}
## Pinch

A definition.
:::

::: {#exm-first-c}
An example.
:::

::: {.callout-note}
Plain note.
:::

::: {.callout-warning}
## Hot $T$

Titled warning.
:::

::: {.callout-tip collapse="true"}
## Folded tip

Tip inside.
:::

::: {.callout-important}
Important.
:::

::: {.callout-caution}
Caution.
:::

::: {.panel-tabset}

### By hand

Panel of the hand.

### By library

Panel of the library.
:::
"""
CHECK = """::: {.check}
Doubling is adding: the cell compares both.
:::"""
READING = """::: {.reading}
Position on a common scale [@minsky1969perceptrons].
:::"""
END = """## Play {#sec-first-play}

::: {.explorable name="kitchen" data="kitchen.json"}
The fallback of the explorable.
:::

## Quiz {#sec-first-quiz}

::: {.quiz}
:::

## Exercises {#sec-first-exercises}

::: {.exercises}
:::
"""
QUIZ = {"chapter": "one/first", "questions": [
    {"id": "first-salt", "kind": "single", "outcome": "cook", "lines": ["X01"], "difficulty": 1, "conceptual": True,
     "section": "sec-first-table", "prompt": "What is $2^2$, as in @eq-first-norm?", 
     "explanation": "By @thm-first-salt.",
     "options": [{"text": "4", "right": True, "feedback": "Yes."}, {"text": "5", "feedback": "That adds one too many."},
                 {"text": "2", "feedback": "That forgets the square."}]},
    {"id": "first-count", "kind": "number", "outcome": "taste", "lines": ["X01"], "difficulty": 1, "conceptual": False,
     "section": "sec-first-table", "prompt": "How many pinches?", "explanation": "Three.", "answer": 3, "tolerance": 0,
     "wrong": [{"answer": 2, "feedback": "One is missing."}, {"answer": 4, "feedback": "One too many."}]}]}
MODULE = '''# %% auto #0
__all__ = ['double']

# %% ../chapters/one/first.ipynb #double
def double(x: int) -> int:
    """Twice `x`, by eq-first-norm. Source: @thm-first-salt."""
    return 2 * x
'''
EXPLORABLE = 'customElements.define("dl-kitchen", class extends HTMLElement {});  // "</script>" in a comment\n'


def svg(note: str = "") -> dict:
    return new_output("display_data", data={"image/svg+xml": SVG.format(note), "text/plain": "<Figure>"})


def stream(text: str, name: str = "stdout") -> dict:
    return new_output("stream", name=name, text=text)


def code(source: str, name: str, *outputs: dict) -> dict:
    return new_code_cell(source, id=name, outputs=list(outputs), execution_count=1)


def text(source: str, name: str) -> dict:
    return new_markdown_cell(source, id=name)


def first() -> list[dict]:
    """The cells of the chapter that has everything."""
    frame = new_output("execute_result", data={"text/html": FRAME, "text/plain": "frame"}, execution_count=1)
    progress = stream("50%|█████     | 1/2 [00:01<00:01, 1.0it/s]\r100%|██████████| 2/2\n", "stderr")
    widget = new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "x"},
                                              "text/plain": "HBox(widget)"})
    return [
        new_raw_cell(FRONT, id="front"),
        text("# First & foremost {#sec-first}\n\nA question that opens the chapter and describes it.", "title"),
        code("#| default_exp: first", "module"),
        text(SECTION, "section"), text(BLOCKS, "blocks"),
        code('#| export: true\ndef double(x: int) -> int:\n    """Twice `x`."""\n    return 2 * x', "double"),
        text(CHECK, "check"),
        code("assert double(2) == 2 + 2\nprint('both give', double(2))", "check-code", stream("both give 4\n")),
        code('#| label: fig-first-line\n'
             '#| fig-cap: "The line rises over \\\\[0, 1), see $x$ and @rosenblatt1958perceptron."\n'
             '#| fig-alt: "A \\"straight\\" line & its \\\\slope"\n'
             '#| waive: "zero-bars: there are no bars"\nplot(secret=1)',
             "line", svg()),
        text(READING, "reading"),
        code('#| label: tbl-first-frame\n#| tbl-cap: "Heights of penguins."\nframe', "frame", frame),
        code("#| echo: false\nprint('hidden_code')", "echo", stream("shown_output\n")),
        code("#| code-fold: true\nfolded_code()", "fold"),
        code("#| output: false\ndropped()", "output", stream("dropped_output\n")),
        code("#| include: false\nnever_there()", "include", stream("never_output\n")),
        code("long_run()", "progress", progress, widget, stream("\x1b[31mred\x1b[0m text\n")),
        text(END, "end")]


def second() -> list[dict]:
    png = new_output("display_data", data={"image/png": PNG, "text/plain": "<Figure>"})
    return [
        new_raw_cell(FRONT.partition("prerequisites")[0] + "prerequisites: []\n---", id="front"),
        text("# Second helping {#sec-second}\n\nBack to @fig-first-line and @eq-first-norm.", "title"),
        code('#| label: fig-second-dot\n#| fig-cap: "A dot."\n#| fig-alt: "One dot"\n#| fig-column: margin\ndot()',
             "dot", png),
        text("## The end {#sec-second-end}\n\nAs @rosenblatt1958perceptron says.", "end")]


def extra() -> list[dict]:
    return [text("# Extra {#sec-extra}\n\n## Inside {#sec-extra-inside}\n\n$$x = 1$$ {#eq-extra-x}"
                 "\n\nSee @eq-extra-x in "
                 "@sec-extra-inside.", "title")]


def exercise() -> list[dict]:
    return [text("# Exercises: First", "title"),
            text("## Boil water {#exr-first-boil}\n\nBoil it.\n\n<details><summary>Hint</summary>Use heat.</details>",
                 "boil-task"),
            code("### BEGIN SOLUTION\nheat = 100\n### END SOLUTION", "boil-solution"),
            code("assert heat == 100, 'too cold'", "boil-check")]


RECORD = {"fingerprint": "x", "profile": "quick", "device": "cpu", "device_name": "Test CPU", "date": "2026-05-03",
          "seconds": 12.3, "memory_mb": 512.0, "versions": {"python": "3.11.7", "torch": "2.13.0"}}


def notebook(path: Path, cells: list[dict]) -> None:
    """Write a notebook with an execution record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"dlbook": RECORD}), path)


def write(root: Path, asked: dict = QUIZ) -> Book:
    """Write the whole book, compile its quiz and exercises, and load its model. asked: the first chapter's quiz."""
    for name in ("theme", "filters"):
        shutil.copytree(ROOT / name, root / name)
    if (ROOT / "node_modules").is_dir():
        (root / "node_modules").symlink_to(ROOT / "node_modules")
    config = yaml.safe_load((ROOT / "_quarto.yml").read_text("utf-8")) | {"book": CONFIG}
    sources = {"_quarto.yml": yaml.safe_dump(config), "references.bib": BIB,
               "index.qmd": "# Welcome {#sec-welcome .unnumbered}\n\nStart with @sec-first or [the second]"
                            "(chapters/two/second.ipynb).\n",
               "glossary.qmd": "# Glossary {.unnumbered}\n\n::: {.glossary}\n:::\n",
               "references.qmd": "# References {.unnumbered}\n\n::: {#refs}\n:::\n",
               "quizzes/one/first.yml": yaml.safe_dump(asked), "dlbook/__init__.py": "", "dlbook/first.py": MODULE,
               "theme/explorables/kitchen.js": EXPLORABLE,
               "chapters/one/kitchen.json": json.dumps({"text": "</script><b>"})}
    for name, content in sources.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    (root / "chapters/one/dot.png").write_bytes(base64.b64decode(PNG))
    for name, cells in (("one/first", first()), ("two/second", second()), ("appendix/extra", extra())):
        notebook(root / f"chapters/{name}.ipynb", cells)
    notebook(root / "exercises/one/first.ipynb", exercise())
    book = model.load(root)
    quiz.compile_quizzes(book)
    exercises.compile_exercises(book)
    glossary.compile_glossary(book)
    return book
