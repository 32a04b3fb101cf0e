"""The quiz source is typed, its keys are recomputed, and what harms a question is refused with file and reason."""

from __future__ import annotations

import copy

import pytest
import yaml

from press import quiz
from press.book import BookError
from press.quiz import blueprint, compute, marking

SINGLE = {"id": "one-single", "kind": "single", "outcome": "derive", "lines": ["X01"], "difficulty": 1,
          "conceptual": True, "section": "sec-one", "prompt": "Which holds?", "explanation": "Because.",
          "options": [{"text": "This is it", "right": True, "feedback": "Yes."},
                      {"text": "Something else, longer", "feedback": "Mixes up a and b."},
                      {"text": "A third thing", "feedback": "Forgets the sign."}]}
NUMBER = {"id": "one-number", "kind": "number", "outcome": "build", "difficulty": 2, "conceptual": False,
          "section": "sec-one", "prompt": "How many?", "explanation": "Count.", "answer": 6, "tolerance": 0.01,
          "compute": "np.arange(4).sum()",
          "wrong": [{"answer": 10, "feedback": "Counts from one."}, {"answer": 4, "feedback": "Counts the items."}]}
OUTPUT = {"id": "one-output", "kind": "output", "outcome": "build", "difficulty": 1, "conceptual": False,
          "section": "sec-one", "prompt": "What appears?", "explanation": "It joins.", "code": "print('a' * 3)",
          "answer": "aaa", "wrong": [{"answer": "a3", "feedback": "Reads it as text."},
                                     {"answer": "3", "feedback": "Reads it as a length."}]}


def written(book, *questions) -> None:
    path = book.chapters["part/one"].quiz
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"chapter": "part/one", "questions": list(questions)}))


def faults(book, *questions) -> str:
    written(book, *questions)
    return "\n".join(map(str, quiz.check(book)))


def changed(question: dict, **changes) -> dict:
    return copy.deepcopy(question) | changes


def test_a_sound_quiz_has_no_fault(small_book):
    assert faults(small_book(), SINGLE, NUMBER, OUTPUT) == ""


@pytest.mark.parametrize(("question", "reason"), [
    (changed(NUMBER, compute="np.arange(5).sum()"), "compute gives 10"),
    (changed(OUTPUT, answer="aa"), "the code prints 'aaa'"),
    (changed(OUTPUT, code="print(1/0)"), "ZeroDivisionError"),
    (changed(NUMBER, outcome="fly"), "outcome 'fly'"),
    (changed(NUMBER, section="sec-two"), "section 'sec-two'"),
    (changed(NUMBER, lines=["Z99"]), "line 'Z99'"),
    (changed(NUMBER, prompt="Which is not a cat?"), "negation"),
    (changed(SINGLE, prompt="Why is the first option right?"), "position"),
    (changed(SINGLE, prompt="Why all of the above?"), "“all of the above” stands for other options"),
    (changed(NUMBER, outcome="buidl"), "outcome 'buidl' is not an outcome of the chapter; did you mean build?"),
    (changed(NUMBER, compute="0.4 ** 2", answer=0.18, tolerance=0.001),
     "compute gives 0.16, the key says 0.18 (± 0.001)"),
    (changed(NUMBER, wrong=[{"answer": 6.001, "feedback": "a"}, {"answer": 1, "feedback": "b"}]), "accepted as right"),
])
def test_a_fault_is_named_with_its_question(small_book, question, reason):
    found = faults(small_book(), question)
    assert reason in found and question["id"] in found and "quizzes/part/one.yml" in found


@pytest.mark.parametrize(("change", "reason"), [
    ({"options": [o | {"right": True} for o in SINGLE["options"]]}, "3 options are right"),
    ({"options": [o | {"right": False} for o in SINGLE["options"]]}, "0 options are right"),
    ({"options": [{"text": "x", "right": True}, *SINGLE["options"][1:]]}, "feedback"),
    ({"options": [SINGLE["options"][0], *[SINGLE["options"][1]] * 2]}, "read the same"),
    ({"kind": "essay"}, "kind is 'essay'; expected one of"),
    ({"kind": "singel"}, "kind is 'singel'; did you mean single?"),
    ({"hint": "no such field"}, "unknown key 'hint'; expected one of compute, conceptual"),
    ({"difficulty": 5}, "difficulty is 5; expected 1, 2 or 3"),
    ({"prompt": ["x"]}, "prompt is ['x']; expected text"),
    ({"prompt": ""}, "prompt is empty"),
    ({"conceptual": "perhaps"}, "conceptual is 'perhaps'; expected true or false"),
    ({"section": "one"}, "section is 'one'; expected the label of a section, sec-…"),
    ({"options": SINGLE["options"][:2]}, "options has 2 entries; expected at least 3"),
    ({"options": [*SINGLE["options"][:2], {"txt": "x", "feedback": "y"}]},
     "options 3: unknown key 'txt'; did you mean text?"),
])
def test_a_malformed_question_is_refused_with_file_question_and_reason(small_book, change, reason):
    book = small_book()
    written(book, changed(SINGLE, **change))
    with pytest.raises(BookError, match="one.yml, question one-single") as error:
        quiz.load(book.chapters["part/one"].quiz)
    assert reason in str(error.value)


def test_a_misspelt_key_is_told_once_though_the_right_one_is_missing_too(small_book):
    book = small_book()
    written(book, {"dificulty" if key == "difficulty" else key: value for key, value in SINGLE.items()})
    assert list(map(str, quiz.check(book))) == ["quizzes/part/one.yml, question one-single: unknown key 'dificulty'; "
                                                "did you mean difficulty?"]


def test_an_answer_of_the_wrong_type_is_told_once(small_book):
    book = small_book()
    written(book, changed(NUMBER, answer="six"))
    assert list(map(str, quiz.check(book))) == ["quizzes/part/one.yml, question one-number: answer is 'six'; "
                                                "expected a number"]


ENDLESS = "sum(1 for _ in iter(int, 1))"


@pytest.mark.parametrize(("question", "said"), [
    (changed(NUMBER, compute=ENDLESS), "question one-number: its code runs longer than 0.3 s; let it compute less"),
    (changed(OUTPUT, code=f"try: {ENDLESS}\nexcept Exception: print('aaa')"),
     "question one-output: its code runs longer"),
    (changed(NUMBER, variants={"draw": f"x = {ENDLESS}"}), "question one-number: the code of its variants runs longer"),
])
def test_code_that_never_ends_is_stopped_and_named(small_book, monkeypatch, question, said):
    monkeypatch.setattr("press.quiz.compute.SECONDS", 0.3)
    assert said in faults(small_book(), question)


def test_an_id_used_twice_is_refused(small_book):
    assert "question one-single: the id is used twice in this quiz" in faults(small_book(), SINGLE, SINGLE)


def test_a_fault_of_the_whole_quiz_names_its_file(small_book):
    written(book := small_book(), SINGLE)
    path = book.chapters["part/one"].quiz
    path.write_text(path.read_text().replace("part/one", "part/two"))
    assert list(map(str, quiz.check(book))) == \
        ["quizzes/part/one.yml: chapter is 'part/two'; the file's place asks for 'part/one'"]


def test_a_chapter_without_its_promise_is_told_once_by_its_own_name(small_book):
    written(book := small_book(front="---\noutcome: 1\n---"), SINGLE)
    assert str(quiz.check(book)[0]).startswith("chapters/part/one.ipynb, cell front: unknown key 'outcome'")


def test_a_quiz_whose_longest_option_is_always_right_is_refused(small_book):
    long = [changed(SINGLE, id=f"one-{i}", options=[SINGLE["options"][0] | {"text": "the longest of the options here"},
                                                     *SINGLE["options"][1:]]) for i in range(4)]
    assert "longest option" in faults(small_book(), *long)


def test_yaml_that_does_not_parse_is_one_sentence(small_book):
    path = small_book().chapters["part/one"].quiz
    path.parent.mkdir(parents=True)
    path.write_text("questions: [unclosed")
    with pytest.raises(BookError, match="not readable as YAML"):
        quiz.load(path)


def test_every_form_of_a_question_shows_prompt_answer_and_each_feedback(small_book):
    written(small_book_ := small_book(), SINGLE, NUMBER, OUTPUT)
    shown = quiz.markdown(quiz.load(small_book_.chapters["part/one"].quiz))
    for expected in ("Which holds?", "Mixes up a and b.", "Counts from one.", "print('a' * 3)", "`aaa`", "@sec-one"):
        assert expected in shown


@pytest.mark.parametrize(("kind", "given", "same"), [
    ("shape", "(64, 10)", "( 64,10 )"), ("shape", "64×10", "torch.Size([64, 10])"), ("text", "−3", "-3"),
    ("text", "Hinge  Loss.", "hinge-loss"), ("output", "a  \nb\n", "a\nb")])
def test_short_answers_are_compared_without_regard_to_spacing_case_and_minus_sign(kind, given, same):
    assert marking.plain(kind, given) == marking.plain(kind, same)


@pytest.mark.parametrize(("change", "said"), [
    ({"sections": []}, "recap.yml: sections has 0 entries; expected at least 1"),
    ({"minuets": 5}, "recap.yml: unknown key 'minuets'; did you mean minutes?"),
    ({"sections": [{"title": "A", "count": 1}, {"title": "B", "cont": 1}]},
     "recap.yml: section 2: unknown key 'cont'; did you mean count?"),
    ({"kind": "test"}, "recap.yml: kind is 'test'; expected recap or exam"),
])
def test_a_malformed_blueprint_is_refused_in_a_sentence(tmp_path, change, said):
    sound = {"title": "T", "kind": "recap", "introduction": "I.", "sections": [{"title": "A", "count": 1}]}
    path = tmp_path / "recap.yml"
    path.write_text(yaml.safe_dump(sound | change))
    with pytest.raises(BookError) as caught:
        blueprint.load(path)
    assert str(caught.value) == said


def test_a_drawn_name_hides_the_constant_of_that_name(small_book):
    book = small_book()
    template = changed(NUMBER, prompt="How much is $<<tau>> + <<e>>$?", answer="<<tau + e>>", wrong=[
        {"answer": "<<tau>>", "feedback": "a"}, {"answer": "<<e>>", "feedback": "b"}], variants={"count": 2, "draw": "tau = rng.choice([0.25, 0.75])\ne = 2"})
    del template["compute"]
    written(book, template)
    question = quiz.load(book.chapters["part/one"].quiz).questions[0]
    for made in compute.instances(question):
        assert (made.prompt, made.answer) in (("How much is $0.25 + 2$?", 2.25), ("How much is $0.75 + 2$?", 2.75))
