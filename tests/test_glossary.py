"""The glossary: each marked term with the sentence that defines it, and what a mark must look like."""

from __future__ import annotations

import pytest

from press import glossary
from press.book import ProblemsFound
from tests.conftest import text


def entries(book) -> dict[str, str]:
    return {term.name: term.sentence for term in glossary.glossary(book)}


@pytest.mark.parametrize(("source", "name", "sentence"), [
    ("It runs. The sum is its [field]{.term}, and then it stops! Next.", "field", "The sum is its **field**, and then it "
     "stops!"),
    ("The [fields]{.term name=\"field\"} add, e.g. here.", "field", "The **fields** add, e.g. here."),
    ("At $t = 1.5$ Hz (see [x. Y](a.md)) a [wave]{.term} rises. No.", "wave",
     "At $t = 1.5$ Hz (see [x. Y](a.md)) a **wave** rises."),
    ("* **One.** A thing.\n* A [mark]{.term} ends at a line.\n* Three.", "mark", "A **mark** ends at a line."),
    ("The [margin]{.term} is\n\n$$\n\\gamma = 1.\n$$ {#eq-one-m}\n\nMore.", "margin", "The **margin** is $\\gamma = 1$."),
    ("The [sum]{.term} is [@a, p. 3]\n$$\n\\begin{aligned}x\\end{aligned}\n$$", "sum", "The **sum** is."),
    ('A [score]{.term is="a sum, $s \\ge 0$"} is here.', "score", "A sum, $s \\ge 0$."),
    ("Is a [cat]{.term} a dog? No.", "cat", "Is a **cat** a dog?"),
    ("It purrs. [Cats]{.term name=\"cat\"} purr.", "cat", "**Cats** purr."),
])
def test_an_entry_is_the_sentence_around_the_mark(small_book, source, name, sentence):
    assert entries(small_book(text(source, "a"))) == {name: sentence}


def test_code_holds_no_marks(small_book):
    assert entries(small_book(text("Write `[x]{.term}`.\n\n```\n[y]{.term}\n```\n", "a"))) == {}


@pytest.mark.parametrize(("source", "said"), [
    ("[a]{.term name=b}", "does not read as a term"), ("[]{.term}", "does not read as a term"),
    ("[a b]{.term} and [A-b]{.term}.", "defines the term 'A-b', which chapters/part/one.ipynb, cell a, defines too"),
])
def test_a_mark_that_makes_no_sense_is_one_sentence_with_its_cell(small_book, source, said):
    with pytest.raises(ProblemsFound, match=said) as caught:
        glossary.glossary(small_book(text(source, "a")))
    assert caught.value.problems[0].cell == "a"


def test_entries_are_in_the_order_of_the_alphabet_and_lead_home(small_book):
    book = small_book(text("A [zebra]{.term} is striped.\n\nAn [Ape]{.term} is not.", "a"))
    glossary.compile_glossary(book)
    made = (book.build / "glossary/terms.md").read_text()
    assert made.index("[Ape]{#entry-ape}") < made.index("[zebra]{#entry-zebra}")
    assert "[1 One](chapters/part/one.ipynb#term-ape)" in made
