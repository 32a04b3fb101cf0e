"""Slips that a page would print or leave out in silence are named with file and cell before anything is rendered."""

from __future__ import annotations

import pytest

from press import lint
from tests.conftest import FRONT, ROOT, code, text, write_notebook


def slips(book) -> str:
    return "\n".join(map(str, lint.problems(book)))


def test_a_sound_chapter_has_no_slip(small_book):
    cells = [text("## A {#sec-one-a}\n\nIt costs \\$5, $x_1$ and\n\n$$\na \\\\\nb\n$$ {#eq-one-a}\n\n`$HOME`", "a"),
             text("```\n$ make\n::: {.nonsense}\n\n# comment\n```\n\n<!-- $ -->\n\n::: {.panel-tabset}\n### A", "b"),
             code("x = '$'", "x"), text('### B\n::: {.callout-tip title="5.1 :::" collapse="true"}\nx\n:::\n:::', "c"),
             text("::: {#thm-one-a}\n## T\nx\n:::\n\n::: {.proof}\ny\n:::", "d"),
             text(':::: {.explorable name="a.b"}\nz\n::::', "e")]
    assert slips(small_book(*cells)) == ""


@pytest.mark.parametrize(("source", "said"), [
    ("::: {.chek}\nx\n:::", "the block .chek is unknown; did you mean check?"),
    ("::: {.callout-info}\nx\n:::", "the block .callout-info is unknown; expected one of callout-caution"),
    ("::: warning\nx\n:::", "the block .warning is unknown"),
    ("::: {.check} text\nx\n:::", "opens no block"),
    ("::: {.check}\nx\n:::\n:::", "one ::: too many"),
    ("::: {.check}\nx", "the block `::: {.check}` is unclosed"),
    ("costs $x and more", "a $ without its partner"),
    ("costs $5 and $6", "a $ without its partner"),
    ("$$\nx\n\ny = 1", "a $ without its partner"),
    ("```{=html}\n<b>x</b>\n```", "raw text for one format ({=html})"),
    ("a `<b>`{=html} b", "raw text for one format ({=html})"),
    ("# Again {#sec-one-again}", "# Again {#sec-one-again} is a second title"),
])
def test_a_slip_in_the_text_is_named_with_its_cell(small_book, source, said):
    found = slips(small_book(text(source, "slip")))
    assert "chapters/part/one.ipynb, cell slip: " in found and said in found


def test_a_block_left_open_is_named_where_it_starts_though_others_follow(small_book):
    found = slips(small_book(text("::: {.reading}\nx", "start"), text("y", "later")))
    assert found == "chapters/part/one.ipynb, cell start: the block `::: {.reading}` is unclosed; " \
                    "end it with a line of :::"


def test_a_title_without_a_label_is_named(small_book):
    book = small_book()
    path = book.chapters["part/one"].notebook
    path.write_text(path.read_text().replace(" {#sec-one}", ""))
    assert slips(book) == ("chapters/part/one.ipynb, cell title: the title has no label; write # One {#sec-…} with "
                           "the chapter's name")


@pytest.mark.parametrize(("source", "said"), [
    ('#| waive: "axis-labels"\n1', 'waive: "axis-labels" gives no reason; write waive: "axis-labels: reason"'),
    ('#| waive: ["a: b", "c: "]\n1', 'waive: "c" gives no reason'),
    ('#| fig-cap: The: "rest"\n1', r'put the text in quotes, as in `#| fig-cap: "The: \"rest"`'),
    ("#| export\n1", "write #| export: true"),
])
def test_an_option_that_says_nothing_is_named_with_its_cell(small_book, source, said):
    found = slips(small_book(code(source, "cell")))
    assert found.startswith("chapters/part/one.ipynb, cell cell: ") and said in found and "\n" not in found


@pytest.mark.parametrize(("front", "said"), [
    (FRONT.replace("outcomes:", "outcome:"), "cell front: unknown key 'outcome'; did you mean outcomes?"),
    (FRONT.replace("lines: [X01]", "line: [X01]"), "cell front: outcome 1: unknown key 'line'; did you mean lines?"),
    (FRONT.replace("lines: [X01]", "lines: []"), "outcome 1: lines has 0 entries; expected at least 1"),
    (FRONT.replace("id: derive", "id: To_Derive"), "outcome 1: id is 'To_Derive'; expected small letters, digits"),
    (FRONT.replace("outcomes:", "outcomes: ["), "cell front: not readable as YAML"),
    (FRONT.replace("id: build", "id: derive"), "cell front: two outcomes have the id derive; give each its own"),
    ("no dashes", "the first cell must be raw and hold the outcomes as YAML between ---"),
])
def test_a_promise_that_would_disappear_is_one_sentence(small_book, front, said):
    found = slips(small_book(front=front))
    assert said in found and "\n" not in found


@pytest.mark.parametrize(("content", "said"), [
    ("", "is empty; restore its last version"), ("{}", "has no list of cells"), ("{", "is not valid JSON"),
    ('{\n<<<<<<< HEAD\n"cells": []\n=======\n', "has an unresolved merge in line 2"),
])
@pytest.mark.parametrize("folder", ["chapters", "exercises"])
def test_a_broken_notebook_is_named(small_book, folder, content, said):
    book = small_book(text("::: {.exercises}\n:::", "place"))
    path = book.root / folder / "part/one.ipynb"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(content)
    assert slips(book).startswith(f"{folder}/part/one.ipynb: {said}")


def test_cells_without_an_id_and_ids_used_twice_are_told_with_their_numbers(small_book):
    book = small_book(text("x", "alike"), text("y", "other"))
    path = book.chapters["part/one"].notebook
    path.write_text(path.read_text().replace("other", "alike"))
    assert slips(book) == ("chapters/part/one.ipynb: uses the cell id 'alike' twice (cells number 3 and 4); "
                           "give each cell its own id")
    path.write_text(path.read_text().replace('"id": "alike",', ""))
    assert "has cells without an id (number 3, number 4)" in slips(book)


@pytest.mark.parametrize("name", ["quiz", "exercises"])
def test_a_quiz_or_exercises_without_a_place_are_told(small_book, name):
    book = small_book(text("x", "a"))
    path = getattr(book.chapters["part/one"], name)
    path.parent.mkdir(parents=True)
    write_notebook(path)
    assert f"is there and the chapter has no place for it; add the lines ::: {{.{name}}} and :::" in slips(book)
    placed = small_book(text(f"::: {{.{name}}}\n:::", "a"))
    assert slips(placed) == ""


def test_a_slip_in_the_exercises_is_told_with_their_file(small_book):
    book = small_book(text("::: {.exercises}\n:::", "a"))
    path = book.chapters["part/one"].exercises
    write_notebook(path, text("Show that $x.", "sum-task"))
    assert slips(book).startswith("exercises/part/one.ipynb, cell sum-task: has a $ without its partner")


def test_the_real_book_has_no_slip(book):
    assert slips(book) == "" and book.root == ROOT
