"""Each row of the audit passes a sound chapter and names what a poor one lacks."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_output

from press import audit
from press.book import ProblemsFound
from tests.conftest import FRONT, code, text

FIGURE = '#| label: fig-one\n#| fig-cap: "The error halves with each step."\n' \
         '#| fig-alt: "A line falls from one to nearly zero over ten steps of training."\nplot()'


def row(book, name: str) -> list[str]:
    return list(audit.ROWS[name](audit.Subject(book, book.chapters["part/one"])))


def drawn(source: str = FIGURE, findings: tuple = ()) -> object:
    cell = code(source, "draw")
    data = {audit.FIGURE_MIME: {"findings": [{"rule": rule, "message": "m"} for rule in findings]}}
    cell.outputs = [new_output("display_data", data)]
    return cell


@pytest.mark.parametrize(("front", "reason"), [
    (FRONT.replace('  - {id: judge, text: "Judge it.", lines: [X02]}\n', ""), "2 outcomes"),
    (FRONT.replace("X01", "Q01"), "Q01 is not in syllabus.yml"),
    (FRONT.replace("X01", "X02"), "X01 names this chapter"),
    (FRONT.replace('prerequisites: ["Nothing"]', "prerequisites: []"), "no prerequisites"),
    (FRONT, "no running time"),
])
def test_outcomes_are_few_tied_to_the_syllabus_and_timed(small_book, front, reason):
    assert any(reason in fault for fault in row(small_book(front=front), "outcomes"))


@pytest.mark.parametrize(("cells", "reason"), [
    ([text("It can be shown that x.", "a")], "It can be shown"),
    ([text("::: {.check}\nx\n:::", "a"), text("more", "b")], "no code cell after it"),
    ([text("$$x$$", "a")], "no equation is numbered"),
    ([text("::: {#thm-one}\n## T\nx\n:::", "a")], "1 theorems and lemmas, 0 proofs"),
    ([text("prose", "a")], "no result is checked"),
])
def test_derivations_are_numbered_proved_and_checked(small_book, cells, reason):
    assert any(reason in fault for fault in row(small_book(*cells), "derivations"))


def test_a_sound_derivation_has_no_fault(small_book):
    cells = [text("$$x$$ {#eq-one}", "a"), text("::: {.check}\nx\n:::", "b"), code("assert 1", "c")]
    assert row(small_book(*cells), "derivations") == []


@pytest.mark.parametrize(("module", "reason"), [
    ("def f(x: int) -> int:\n    return x", "f has no docstring"),
    ('def f(x):\n    "Doc."\n    return x', "f is not fully typed"),
    ('def f() -> None:\n    "Doc."\n' + "    a = 1\n" * 30, "functions: median 30"),
])
def test_exported_code_is_short_typed_and_documented(small_book, module, reason):
    book = small_book(code("#| default_exp: one", "exp"))
    (book.root / "dlbook/one.py").write_text(module)
    assert any(reason in fault for fault in row(book, "code"))


def test_code_that_stands_in_another_module_is_a_fault(small_book):
    book = small_book(code("#| default_exp: one", "exp"))
    for name in ("one", "two"):
        (book.root / f"dlbook/{name}.py").write_text('def f() -> None:\n    "Doc."\n')
    assert row(book, "code") == ["f stands in two.py too; import it or rename it"]


@pytest.mark.parametrize(("cell", "reason"), [
    (code(FIGURE, "draw"), "audit is missing"),
    (drawn(findings=("contrast",)), "contrast: m"),
    (drawn(FIGURE.replace("The error halves with each step.", "Error")), "caption"),
    (drawn(FIGURE.replace("A line falls from one to nearly zero over ten steps of training.", "plot")), "alt text"),
])
def test_a_figure_has_a_finding_a_description_and_a_clean_audit(small_book, cell, reason):
    assert any(reason in fault for fault in row(small_book(cell), "figures"))


def test_a_waived_rule_is_no_fault(small_book):
    waived = drawn('#| waive: "contrast: the pale marks are the point"\n' + FIGURE, ("contrast",))
    assert not any("contrast" in fault for fault in row(small_book(waived), "figures"))


def test_missing_exercises_and_quiz_are_faults(small_book):
    book = small_book()
    assert row(book, "exercises") == ["there are no exercises"] and row(book, "quiz") == ["there is no quiz"]


def test_the_workshop_owes_a_quiz_and_exercises_too(small_book, monkeypatch):
    book = small_book()
    chapter = book.chapters["part/one"]
    monkeypatch.setattr(type(chapter), "is_appendix", True)
    found = audit.audit(book, [chapter])["part/one"]
    assert found["exercises"] == ["there are no exercises"] and found["quiz"] == ["there is no quiz"]


def test_a_source_without_address_is_a_fault(small_book):
    book = small_book(text("As [@a1] says.", "a"))
    (book.root / "references.bib").write_text("@book{a1, author={A, B}, title={T}, year=2000}")
    assert "@a1 has neither DOI nor address" in row(book, "sources")


@pytest.mark.parametrize(("seconds", "memory", "faults"), [(59, 100, 0), (61, 100, 1), (61, 5000, 2)])
def test_time_and_memory_have_a_budget(small_book, seconds, memory, faults):
    book = small_book()
    subject = audit.Subject(book, book.chapters["part/one"])
    subject.record = {"profile": "quick", "device": "cpu", "seconds": seconds, "memory_mb": memory}
    assert len(list(audit.budget(subject))) == faults


@pytest.mark.parametrize(("cells", "said"), [
    ([text("x", "1f3a5b7c")], "the cells 1f3a5b7c have random ids; give each a readable one"),
    ([text("x", "1f3a5b7c-0000-4000-8000-1f3a5b7c1f3a")], "have random ids"),
    ([text("## A {#sec-loss}", "a")], "the label sec-loss lacks the chapter's name; write sec-one-…"),
    ([code('#| label: fig-loss\n1', "a")], "the label fig-loss lacks the chapter's name"),
])
def test_ids_can_be_read_and_labels_carry_the_chapters_name(small_book, cells, said):
    assert [said in fault for fault in row(small_book(*cells), "form")] == [True]


def test_sound_ids_labels_and_pictures_have_no_fault(small_book):
    cells = [text("## A {#sec-one-a}\n\n$$x$$ {#eq-one}", "deadbeef"), text("```\n{#sec-other}\n```", "a"), drawn()]
    assert row(small_book(*cells), "form") == []


def test_a_picture_too_heavy_for_a_page_is_a_fault(small_book):
    cell = drawn()
    cell.outputs[0].data["image/png"] = "x" * 2_000_000
    assert row(small_book(cell), "form") == ["draw: its picture weighs 2.0 MB; at most 0.5: draw fewer points"]


def test_an_option_that_does_not_read_is_one_sentence_with_its_cell(small_book):
    book = small_book(code('#| fig-cap: The: "x"\n1', "bad"))
    with pytest.raises(ProblemsFound) as caught:
        audit.audit(book, list(book))
    assert str(caught.value) == ('chapters/part/one.ipynb, cell bad: its option line `#| fig-cap: The: "x"` does not '
                                 'read as YAML; put the text in quotes, as in `#| fig-cap: "The: \\"x"`')


def test_a_quiz_that_does_not_read_is_a_finding_and_ends_no_other_row(small_book):
    book = small_book()
    book.chapters["part/one"].quiz.parent.mkdir(parents=True)
    book.chapters["part/one"].quiz.write_text("questions: [")
    found = audit.audit(book, list(book))["part/one"]
    assert found["quiz"][0].startswith("quizzes/part/one.yml: is not readable as YAML")
    assert "there are no exercises" in found["exercises"]


def test_a_finding_is_told_with_its_row(small_book):
    book = small_book()
    told = list(map(str, audit.problems(audit.audit(book, list(book)))))
    assert "chapters/part/one.ipynb: outcomes: no running time is stored; execute it" in told
