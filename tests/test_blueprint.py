"""Recap quizzes and exams are drawn as their blueprint says, the same in every build, on the page and on paper."""

from __future__ import annotations

import pytest
from pypdf import PdfReader

from press.book import BookError
from press.quiz import blueprint, paper
from press.quiz.blueprint import Blueprint, draw
from press.render import render
from tests import quizbook


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    made = quizbook.write(tmp_path_factory.mktemp("blueprint") / "book")
    render(made, "pandoc")
    return made


def plan(*sections: dict, seed: int = 1) -> Blueprint:
    return Blueprint(title="Trial", kind="exam", introduction="Try.", seed=seed, sections=list(sections))


def ids(drawn) -> list[tuple[str, int]]:
    return [(item.question.id, item.variant) for item in drawn]


def test_a_draw_is_repeatable_and_other_forms_and_seeds_draw_others(book):
    section = {"title": "Any", "count": 5}
    assert ids(draw(book, plan(section))) == ids(draw(book, plan(section)))
    assert len({tuple(ids(draw(book, plan(section), form))) for form in range(5)}) > 2
    assert len({tuple(ids(draw(book, plan(section, seed=seed)))) for seed in range(5)}) > 2


def test_no_question_comes_twice_even_where_sections_overlap(book):
    for form in range(5):
        drawn = ids(draw(book, plan({"title": "A", "count": 6}, {"title": "B", "count": 6}), form))
        assert len({name for name, _ in drawn}) == 12


def test_sections_keep_to_what_they_ask_for_and_spread_over_outcomes(book):
    numbers = draw(book, plan({"title": "A", "count": 2, "kinds": ["number"]}))
    assert {item.question.kind for item in numbers} == {"number"}
    assert len({item.question.outcome for item in draw(book, plan({"title": "A", "count": 3}))}) == 3


def test_too_few_questions_is_one_sentence_with_the_number_there_is(book):
    with pytest.raises(BookError, match="“Trial”, section “A” asks for 3 questions; 2 fit"):
        draw(book, plan({"title": "A", "count": 3, "kinds": ["number"]}))
    with pytest.raises(BookError, match="asks for 1 questions of difficulty 3; 0 fit"):
        draw(book, plan({"title": "A", "count": 1, "difficulty": {3: 1}}))


def test_a_blueprint_that_is_not_sound_is_refused_with_its_place(tmp_path):
    path = tmp_path / "bad.yml"
    path.write_text("title: T\nkind: exam\nintroduction: I\nsections: [{title: A, count: 2, difficulty: {1: 1}}]")
    with pytest.raises(BookError, match="bad.yml: .*1: difficulty adds up to 1 questions; count is 2"):
        blueprint.load(path)


def words(path) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(path).pages).split())


def test_the_paper_asks_and_the_key_answers_with_the_points(book):
    drawn = draw(book, blueprint.load(book.root / "quizzes/blueprints/mock.yml"))
    asked, key = (words(book.output / "exams" / f"mock{part}.pdf") for part in ("", "-key"))
    assert "Mock exam" in asked and "11 points" in asked and "30 minutes" in asked
    for item in drawn:
        whole = paper.scheme(item.question, item.section.points)
        assert whole.split(",")[0].split(":")[0].split(" within")[0] in key, item.question.id
        if item.question.variants is None and "$" not in item.question.prompt:
            assert item.question.prompt in asked
            assert item.question.explanation in key and item.question.explanation not in asked
