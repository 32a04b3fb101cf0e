"""Course paths: what a course's lines lead to, what is missing, and the archives of its notebooks."""

from __future__ import annotations

import zipfile

import nbformat
import pytest
import yaml

from press import courses, downloads
from press.book import BookError
from tests import kitchen, quizbook

LABELS = {
    "sec-first": {"text": "1", "title": "First", "url": "chapters/one/first.html#sec-first", "kind": "sec"},
    "sec-first-table": {
        "text": "Section\u00a01.1",
        "title": "Setting the table",
        "url": "chapters/one/first.html#sec-first-table",
        "kind": "sec",
    },
    "exr-first-boil": {
        "text": "Exercise\u00a01.1",
        "title": "Boil water",
        "url": "chapters/one/first.html#exr-first-boil",
        "kind": "exr",
    },
}


@pytest.fixture
def book(tmp_path):
    return quizbook.write(tmp_path / "book")


def test_lines_lead_to_sections_questions_and_exercises(book):
    path = courses.Paths(book, LABELS)
    (course,) = path.courses
    first, second, third = path.rows(course)
    (taught,) = first["taught"]
    assert [section["title"] for section in taught["sections"]] == ["Setting the table"]
    assert taught["offers"] == [
        ("chapters/one/first.html#q-one-single", "12 questions"),
        ("chapters/one/first.html#exr-first-boil", "1 exercise"),
    ]
    assert (first["missing"], second["missing"], third["everywhere"]) == ([], ["three/third"], True)
    assert path.covered(course) == 2


def test_a_line_of_no_course_is_refused(book):
    lines = [{"id": "Z01", "text": "?", "covers": ["one/first"]}]
    (book.root / "syllabus.yml").write_text(yaml.safe_dump(quizbook.SYLLABUS | {"lines": lines}))
    with pytest.raises(BookError, match="line Z01 belongs to none of the courses X"):
        courses.courses(book)


def test_a_book_without_courses_has_no_pages(tmp_path):
    assert list(courses.pages(kitchen.write(tmp_path / "plain"), {})) == []


def test_a_course_goes_along_as_valid_notebooks_the_same_in_every_build(book):
    for chapter in book:
        downloads.write_notebooks(book, chapter)
    courses.archives(book)
    archive = book.build / "archives" / "course-X.zip"
    before = archive.read_bytes()
    with zipfile.ZipFile(archive) as made:
        names = made.namelist()
        for name in names:
            nbformat.validate(nbformat.reads(made.read(name).decode(), as_version=4))
    assert "one/first.ipynb" in names and "one/first-exercises.ipynb" in names
    assert not any(name.startswith("two/") for name in names)
    courses.archives(book)
    assert archive.read_bytes() == before
