"""What is exported says what the source says: each format is read back by a reader of its own and compared."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
import zipfile
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from anki.collection import Collection, ImportAnkiPackageOptions, ImportAnkiPackageRequest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lxml import etree, html
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from PIL import Image

from press import book as model
from press.book import BookError
from press.quiz import compute, marking, quizzes
from press.quiz.export import FORMATS, entries, export, pictures, prose, sheet
from press.quiz.source import Choice, Match, Number, Order, Spot, Text

ROOT = Path(__file__).resolve().parents[1]
HUGE = etree.XMLParser(huge_tree=True)
GRADES = {100, 90, 83.33333, 80, 75, 70, 66.66667, 60, 50, 40, 33.33333, 30, 25, 20, 16.66667, 14.28571, 12.5, 11.11111,
          10, 5, 0}                                          # the fractions that Moodle allows

SHARED = {"outcome": "derive", "lines": ["X01"], "difficulty": 1, "conceptual": True, "section": "sec-one-part",
          "explanation": "Because $a<b$ and `x & y`."}
WRONG = [{"answer": 3, "feedback": "Counts $n-1$."}, {"answer": 99, "feedback": "Counts all."}]
SAID = [{"answer": "foo", "feedback": "Reads $x$."}, {"answer": "bar*", "feedback": "Reads all."}]
REGIONS = [{"label": "top", "x": 50, "y": 10, "radius": 8, "right": True, "feedback": "It rises there."},
           {"label": "left", "x": 10, "y": 50, "radius": 8, "feedback": "It is flat."},
           {"label": "right", "x": 90, "y": 50, "radius": 8, "feedback": "It falls."}]
KINDS = [
    {"id": "a-single", "kind": "single", "prompt": "Which of $\\frac{1}{2}$ is it?", "options": [
        {"text": "It is $x_1$", "right": True, "feedback": "Yes, $x_1$."},
        {"text": "This & that", "feedback": "No < 1."},
        {"text": "```\na = {1: 2}\n```", "feedback": "A dict."}]},
    {"id": "a-multiple", "kind": "multiple", "prompt": "Which hold?", "options": [
        {"text": str(i), "right": i < 3, "feedback": f"On {i}."} for i in range(5)]},
    {"id": "a-number", "kind": "number", "prompt": "How long?", "answer": 2.5, "relative": 0.02, "unit": "s",
     "units": {"ms": 0.001}, "figures": 2, "wrong": WRONG},
    {"id": "a-text", "kind": "text", "prompt": "Which loss?", "answer": "hinge-loss", "accept": ["max margin"],
     "wrong": SAID},
    {"id": "a-shape", "kind": "shape", "prompt": "Which shape?", "answer": "(64, 10)", "wrong": [
        {"answer": "(10, 64)", "feedback": "Turned round."}, {"answer": "(64,)", "feedback": "One is lost."}]},
    {"id": "a-output", "kind": "output", "prompt": "Run it.", "code": "print('A' * 2)", "answer": "AA", "wrong": SAID},
    {"id": "a-lines", "kind": "output", "prompt": "Run it.", "code": "print(1)\nprint(2)", "answer": "1\n2",
     "wrong": SAID},
    {"id": "a-order", "kind": "order", "prompt": "Sort.", "items": ["one $x$", "two", "three"], "feedback": "By size."},
    {"id": "a-parsons", "kind": "order", "code": True, "prompt": "Sort the code.", "feedback": "Define it before use.",
     "items": ["x = [", "    1,", "]"], "distractors": ["x = {"]},
    {"id": "a-match", "kind": "match", "prompt": "Pair.", "feedback": "Names differ.", "pairs": [
        {"left": "slope", "right": "$f'$"}, {"left": "area", "right": "$\\int f$"}, {"left": "value", "right": "$f$"}]},
    {"id": "a-spot", "kind": "spot", "prompt": "Where does it rise?", "figure": "fig-one-plot", "missed": "Look again.",
     "alt": "A line that goes up and then down again.", "regions": REGIONS},
    {"id": "a-template", "kind": "number", "prompt": "What is <<a>> + 1? See @sec-one-part and @nobody.",
     "answer": "<<a + 1>>", "variants": {"count": 6, "draw": "a = rng.randint(10, 1000)"},
     "wrong": [{"answer": "<<a>>", "feedback": "One is missing."}, {"answer": "<<a - 1>>", "feedback": "The sign."}]},
]
SVG = ('<svg xmlns="http://www.w3.org/2000/svg" width="400pt" height="200pt" viewBox="0 0 400 200">'
       '<path d="M0 200 200 0 400 200" stroke="#0b62a4" fill="none"/></svg>')


@pytest.fixture
def shelf(small_book, tmp_path):
    """Returns a function that writes questions into a small book with a figure and a picture file."""
    (tmp_path / "filters").symlink_to(ROOT / "filters")
    figure = new_code_cell('#| label: fig-one-plot\n#| fig-cap: "It rises."\n#| fig-alt: "A line."\nplot()', id="plot",
                           outputs=[new_output("display_data", {"image/svg+xml": SVG})])
    book = small_book(new_markdown_cell("## The part {#sec-one-part}\n\nText.", id="part"), figure)
    Image.new("RGB", (30, 20), "red").save(tmp_path / "chapters/part/red.png")

    def write(questions):
        path = tmp_path / "quizzes/part/one.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"chapter": "part/one", "questions": [SHARED | q for q in questions]}))
        return book
    return write


def exported(book, to, folder, **options):
    report = export(book, book.select([]), to, folder, **options)
    return report, {file.name: file.read_bytes() for file in report.files}


# ---- readers ---------------------------------------------------------------------------------------------------------

def words(text: str) -> str:
    """A text without the signs that only typeset it, so that Markdown and what became of it compare equal."""
    for signs, plain in (("“”\"", '"'), ("‘’'", "'"), ("–—", "-"), ("\u00a0", " ")):
        text = re.sub(f"[{signs}]", plain, text)
    text = re.sub(r"\\[()]|[*`$]|-{2,}", lambda m: "-" if m[0][0] == "-" else "", text).replace("...", "…")
    return " ".join(text.split())


def text_of(markup: str) -> str:
    return words(html.fromstring(f"<div>{markup}</div>", parser=html.HTMLParser(huge_tree=True)).text_content())


def moodle_of(data: bytes) -> dict[str, dict]:
    found, category = {}, ""
    for q in etree.fromstring(data, HUGE):
        if q.get("type") == "category":
            category = q.findtext("category/text")
            continue
        answers = [{"text": a.findtext("text"), "fraction": a.get("fraction"), "tolerance": a.findtext("tolerance"),
                    "feedback": a.findtext("feedback/text") or ""} for a in q.findall("answer")]
        pairs = [(s.findtext("text"), s.findtext("answer/text")) for s in q.findall("subquestion")]
        found[q.findtext("idnumber")] = {
            "type": q.get("type"), "prompt": q.findtext("questiontext/text"), "answers": answers, "pairs": pairs,
            "node": q, "general": q.findtext("generalfeedback/text"), "category": category,
            "tags": [t.text for t in q.findall("tags/tag/text")]}
    return found


GIFT_PAIRS = [(rf"\{sign}", f"\0{i}") for i, sign in enumerate(":#={}~n")]


def gift_of(data: bytes) -> dict[str, dict]:
    """GIFT as Moodle reads it: blank lines part questions, escapes are put aside before anything is looked for."""
    found, category = {}, ""
    for block in re.split(r"\n\s*\n", data.decode()):
        lines = [line.strip() for line in block.splitlines()]
        comments = [line for line in lines if line.startswith("//")]
        text = _aside("\n".join(line for line in lines if not line.startswith("//")).strip())
        if text.startswith("$CATEGORY:"):
            category = text[10:].strip()
        elif text:
            assert text.startswith("::") and text.count("{") == text.count("}") == 1 and text.endswith("}")
            name, rest = text[2:].split("::", 1)
            prompt, answers = rest[:-1].split("{")
            answers, general = answers.rsplit("####", 1)
            identifier = re.search(r"\[id:([^]]+)\]", comments[0])[1]
            found[identifier] = {"name": name, "prompt": _read(prompt), "general": _read(general), "category": category,
                                 **_gift_answers(answers.strip())}
    return found


def _aside(text: str) -> str:
    text = text.replace("\\\\", "\0z")
    for escaped, mark in GIFT_PAIRS:
        text = text.replace(escaped, mark)
    return text.replace("\0z", "\\")


def _read(text: str) -> str:
    text = re.sub(r"^\[(html|plain)\]", "", text.strip())
    for escaped, mark in GIFT_PAIRS:
        text = text.replace(mark, "\n" if escaped == r"\n" else escaped[1])
    return text.strip()


def _gift_answers(text: str) -> dict:
    if "->" in text and not text.startswith("#") and "~" not in text:
        pairs = [tuple(map(_read, part.split("->", 1))) for part in text.split("=") if part.strip()]
        return {"type": "match", "pairs": pairs, "answers": []}
    kind = "numerical" if text.startswith("#") else "multichoice" if "~" in text else "shortanswer"
    found = re.findall(r"([=~])(?:%(-?[\d.]+)%)?([^=~#]*)(?:#([^=~#]*))?", text.removeprefix("#"))
    answers = [{"text": _read(said), "fraction": weight or ("100" if sign == "=" else "0"), "feedback": _read(told)}
               for sign, weight, said, told in found]
    return {"type": kind, "answers": answers, "pairs": []}


def qti_of(data: bytes) -> dict[str, etree._Element]:
    """The items by id, their namespaces taken away and each formula its TeX."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        items = [etree.fromstring(archive.read(n), HUGE) for n in archive.namelist() if n.startswith("items/")]
    return {item.get("identifier"): _bare(item) for item in items}


def _bare(tree: etree._Element) -> etree._Element:
    for node in list(tree.iter(etree.Element)):
        if node.tag.endswith("}math"):
            node.text = f"{node.get('alttext')}"
            for child in list(node):
                node.remove(child)
        node.tag = etree.QName(node).localname
    etree.cleanup_namespaces(tree)
    return tree


def said(node: etree._Element) -> str:
    return words("".join(node.itertext()))


def anki_of(data: bytes, folder: Path) -> dict[str, dict]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (folder / "collection").write_bytes(archive.read("collection.anki2"))
        media = json.loads(archive.read("media"))
        stored = {name: archive.read(number) for number, name in media.items()}
    with sqlite3.connect(folder / "collection") as base:
        rows = base.execute("select guid, mid, mod, tags, flds from notes").fetchall()
        cards = base.execute("select count(*) from cards").fetchone()[0]
    assert cards == len(rows)
    fields = ("id", "prompt", "given", "answer", "feedback", "general")
    return {row[4].split("\x1f")[0]: dict(zip(fields, row[4].split("\x1f"), strict=True)) | {
        "guid": row[0], "model": row[1], "mod": row[2], "tags": row[3].split(), "media": stored} for row in rows}


def csv_of(data: bytes) -> dict[str, dict]:
    assert data.startswith(b"\xef\xbb\xbf")
    csv.field_size_limit(10_000_000)
    rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    return {row["id"]: {key: cell.removeprefix("'") for key, cell in row.items()} for row in rows}


# ---- the whole book --------------------------------------------------------------------------------------------------

@cache
def _whole(to: str, folder: Path) -> tuple:
    book = model.load(ROOT)
    return (book, *exported(book, to, folder))


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    return lambda to: _whole(to, folder)


def concrete(book, variants=10) -> dict:
    """The questions that an export holds, found without it."""
    found = {}
    for _, quiz in quizzes(book):
        for q in quiz.questions:
            made = compute.instances(q)[:variants]
            found |= {q.id if q.variants is None else f"{q.id}-v{i:02d}": one for i, one in enumerate(made, 1)}
    return found


def same(markdown: str, shown: str) -> bool:
    """Whether the shown text is the source's; a cross-reference or citation may read as anything."""
    parts = [re.escape(words(part)) for part in re.split(r"\[?@[\w-]+\w\]?", markdown)]
    return re.match(r"\s?.*?\s?".join(parts), words(shown)) is not None


def test_moodle_holds_every_question_with_its_prompt_answers_and_feedback(whole):
    book, _, files = whole("moodle")
    found, source = moodle_of(files["moodle.xml"]), concrete(book)
    assert found.keys() == source.keys()
    for name, q in source.items():
        made = found[name]
        assert same(q.prompt, text_of(made["prompt"])), name
        shown = text_of(made["general"])                      # with what is told of regions, orders and pairs
        assert same(q.explanation, shown) or isinstance(q, (Order, Match, Spot)), name
        assert " ".join(q.explanation.replace("$", "").split())[-20:] in " ".join(shown.split()) or not isinstance(q, Spot), name
        if isinstance(q, Choice):
            assert [text_of(a["text"]) for a in made["answers"]] == [words(o.text) for o in q.options]
            assert [text_of(a["feedback"]) for a in made["answers"]] == [words(o.feedback) for o in q.options]
            assert [float(a["fraction"]) > 0 for a in made["answers"]] == [o.right for o in q.options]
        if isinstance(q, (Number, Text)) and made["type"] != "multichoice":
            wrong = [a for a in made["answers"] if a["fraction"] == "0"]
            assert [text_of(a["feedback"]) for a in wrong] == [words(w.feedback) for w in q.wrong], name


def test_moodle_fractions_are_those_that_moodle_allows_and_mark_as_the_book_does(whole):
    book, _, files = whole("moodle")
    found = moodle_of(files["moodle.xml"])
    for name, q in concrete(book).items():
        if isinstance(q, Choice):
            shares = [float(a["fraction"]) for a in found[name]["answers"]]
            assert {abs(share) for share in shares} <= GRADES
            for count in range(1, 1 + (len(shares) if q.kind == "multiple" else 1)):
                for chosen in combinations(range(len(shares)), count):
                    earned = max(0, sum(shares[i] for i in chosen)) / 100
                    assert earned == pytest.approx(marking.mark(q, list(chosen)), abs=1e-4), (name, chosen)


def test_moodle_takes_and_refuses_the_numbers_and_texts_that_the_book_does(whole):
    book, _, files = whole("moodle")
    found = moodle_of(files["moodle.xml"])
    for name, q in concrete(book).items():
        made = found[name]
        for answer in made["answers"] if made["type"] in ("numerical", "shortanswer") else []:
            right = answer["fraction"] == "100"
            reach = float(answer["tolerance"] or 0)
            for text in ([str(float(answer["text"]) + step) for step in (-reach, 0, reach)] if reach and right else
                         [answer["text"].replace(r"\*", "*")]):
                assert bool(marking.mark(q, text)) == right, (name, text)


def test_gift_holds_every_question_with_its_prompt_answers_and_feedback(whole):
    book, report, files = whole("gift")
    found, source = gift_of(files["gift.txt"]), concrete(book)
    assert found.keys() | report.left.keys() == source.keys()
    for name, made in found.items():
        q = source[name]
        assert same(q.prompt, text_of(made["prompt"])), name
        if isinstance(q, Choice):
            assert [text_of(a["text"]) for a in made["answers"]] == [words(o.text) for o in q.options]
            assert [text_of(a["feedback"]) for a in made["answers"]] == [words(o.feedback) for o in q.options]
            assert [float(a["fraction"]) > 0 for a in made["answers"]] == [o.right for o in q.options]
        if isinstance(q, Match):
            assert [text_of(left) for left, _ in made["pairs"]] == [words(pair.left) for pair in q.pairs]
        if isinstance(q, Number):
            value, reach = map(float, made["answers"][0]["text"].split(":"))
            assert (value, reach) == (pytest.approx(q.answer, rel=1e-12), pytest.approx(entries.allowed(q)))
            assert [text_of(a["feedback"]) for a in made["answers"][1:]] == [words(w.feedback) for w in q.wrong]


def test_qti_holds_every_question_with_its_prompt_options_and_feedback(whole):
    book, _, files = whole("qti")
    found, source = qti_of(files["qti21.zip"]), concrete(book)
    assert found.keys() == source.keys()
    for name, q in source.items():
        assert same(q.prompt, said(found[name].find("itemBody/div"))), name
        told = {f.get("identifier"): said(f) for f in found[name].iter("modalFeedback")}
        if isinstance(q, Choice):
            assert [said(c) for c in found[name].iter("simpleChoice")] == [words(o.text) for o in q.options]
            assert [told[f"feedback_{i}"] for i, _ in enumerate(q.options, 1)] == [words(o.feedback) for o in q.options]
        if isinstance(q, (Number, Text)) and found[name].find(".//textEntryInteraction") is not None:
            assert [told[f"feedback_{i}"] for i, _ in enumerate(q.wrong, 1)] == [words(w.feedback) for w in q.wrong]
        if isinstance(q, Order) and not q.code:
            assert [said(c) for c in found[name].iter("simpleChoice")] == list(map(words, [*q.items, *q.distractors]))
        assert "general_explanation" in told


def test_anki_holds_a_note_for_every_question_with_answer_and_feedback(whole, tmp_path):
    book, _, files = whole("anki")
    found, source = anki_of(files["dlbook.apkg"], tmp_path), concrete(book)
    assert found.keys() == source.keys()
    for name, q in source.items():
        note = found[name]
        assert same(q.prompt, text_of(note["prompt"])), name
        if isinstance(q, Choice):
            given = [words(li.text_content()) for li in html.fromstring(note["given"])]
            right = {given["ABCDEF".index(letter)] for letter in text_of(note["answer"]).split(", ")}
            assert right == {words(o.text) for o in q.options if o.right}
            assert all(words(o.feedback) in text_of(note["feedback"]) for o in q.options)
        if isinstance(q, Order):
            assert [words(li.text_content()) for li in html.fromstring(note["answer"])] == list(map(words, q.items))


def test_the_table_holds_the_sources_own_texts(whole):
    book, _, files = whole("csv")
    found, source = csv_of(files["quizzes.csv"]), concrete(book)
    assert found.keys() == source.keys()
    for name, q in source.items():
        assert found[name]["prompt"].startswith(q.prompt) and found[name]["explanation"] == q.explanation
        assert found[name]["key"] == "\n".join(q.key())
        if isinstance(q, Choice):
            assert [(found[name][f"answer_{i}"], found[name][f"feedback_{i}"]) for i, _ in enumerate(q.options, 1)] == \
                [(o.text, o.feedback) for o in q.options]


# ---- every kind ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("to", FORMATS)
def test_the_report_counts_every_question_once_and_names_what_is_left_out(shelf, tmp_path, to):
    report, _ = exported(shelf(KINDS), to, tmp_path / "out", variants=4)
    assert sum(count for _, count, _, _ in report.table) == len(KINDS) - 1 + 4
    assert set(report.left) == ({"a-spot"} if to == "gift" else set())


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_questions_make_the_same_bytes(shelf, tmp_path, to):
    book = shelf(KINDS)
    assert exported(book, to, tmp_path / "a")[1] == exported(book, to, tmp_path / "b")[1]


def test_moodle_has_a_type_for_every_kind(shelf, tmp_path):
    found = moodle_of(exported(shelf(KINDS), "moodle", tmp_path / "out")[1]["moodle.xml"])
    assert {name: made["type"] for name, made in found.items() if "-v" not in name} == {
        "a-single": "multichoice", "a-multiple": "multichoice", "a-number": "numerical", "a-text": "shortanswer",
        "a-shape": "shortanswer", "a-output": "shortanswer", "a-lines": "multichoice", "a-order": "ordering",
        "a-parsons": "match", "a-match": "match", "a-spot": "ddmarker"}
    assert [text_of(a["text"]) for a in found["a-order"]["answers"]] == ["one x", "two", "three"]
    assert [a["fraction"] for a in found["a-order"]["answers"]] == ["1", "2", "3"]
    assert [right for _, right in found["a-parsons"]["pairs"]] == ["1", "2", "3", entries.LATER]
    assert "<pre><code>    1,</code></pre>" in found["a-parsons"]["pairs"][1][0]
    assert text_of(found["a-lines"]["answers"][0]["text"]) == "1 2" and "By size." in found["a-order"]["general"]
    assert found["a-number"]["node"].find("units/unit[2]/multiplier").text == "1000"
    assert "to 2 significant figures" in found["a-number"]["prompt"]


def test_moodle_puts_the_side_without_formulas_into_the_menus(shelf, tmp_path):
    report, files = exported(shelf(KINDS), "moodle", tmp_path / "out")
    assert moodle_of(files["moodle.xml"])["a-match"]["pairs"] == [
        (r"\(f'\)", "slope"), (r"\(\int f\)", "area"), (r"\(f\)", "value")]
    assert any("exchanged" in remark for *_, remark in report.table)


def test_a_template_becomes_variants_in_a_category_of_their_own(shelf, tmp_path):
    found = moodle_of(exported(shelf(KINDS), "moodle", tmp_path / "out", variants=4)[1]["moodle.xml"])
    variants = [made for name, made in found.items() if name.startswith("a-template")]
    assert len({v["prompt"] for v in variants}) == 4
    assert {v["category"] for v in variants} == {"$course$/top/Small/One/The part/a-template"}
    for v in variants:
        asked_for, answer = re.search(r"What is (\d+)", v["prompt"])[1], v["answers"][0]["text"]
        assert int(answer) == int(asked_for) + 1
    assert "See Section" in variants[0]["prompt"] and "@nobody" in variants[0]["prompt"]


def test_the_place_on_a_picture_lies_where_the_source_says(shelf, tmp_path):
    node = moodle_of(exported(shelf(KINDS), "moodle", tmp_path / "out")[1]["moodle.xml"])["a-spot"]["node"]
    file = node.find("file")
    width, height = Image.open(io.BytesIO(__import__("base64").b64decode(file.text))).size
    x, y, radius = map(int, re.split("[,;]", node.findtext("drop/coords")))
    assert width <= 600 and height <= 400
    assert (x / width, y / height, radius / width) == pytest.approx((0.5, 0.1, 0.08), abs=0.01)


def test_pictures_travel_inside_and_a_missing_one_is_told(shelf, tmp_path):
    shown = KINDS[0] | {"prompt": "See ![a red box](red.png) and ![gone](gone.png) and ![far](https://e.org/x.png)."}
    book = shelf([shown])
    report, files = exported(book, "moodle", tmp_path / "out")
    question = moodle_of(files["moodle.xml"])["a-single"]["node"]
    name = re.search(r'src="@@PLUGINFILE@@/([^"]+)"', question.findtext("questiontext/text"))[1]
    assert question.find("questiontext/file").get("name") == name
    assert "[picture: gone]" in question.findtext("questiontext/text") and len(report.notes) == 2
    with zipfile.ZipFile(io.BytesIO(exported(book, "qti", tmp_path / "out")[1]["qti21.zip"])) as archive:
        item, manifest = archive.read("items/a-single.xml").decode(), archive.read("imsmanifest.xml").decode()
        assert f'src="../media/{name}"' in item and f'"media/{name}"' in manifest
        assert f"media/{name}" in archive.namelist()
    assert name in anki_of(exported(book, "anki", tmp_path / "out")[1]["dlbook.apkg"], tmp_path)["a-single"]["media"]
    report, files = exported(book, "gift", tmp_path / "out")
    assert "[picture: a red box]" in gift_of(files["gift.txt"])["a-single"]["prompt"]
    assert "picture is left out" in report.table[0][3]


def test_a_picture_outside_the_book_is_refused(shelf, tmp_path):
    book = shelf([KINDS[0]])
    with pytest.raises(BookError, match="is not a file of the book"):
        pictures.find(book.chapters["part/one"], "../../../../../../etc/hostname")


def test_tags_name_outcome_line_difficulty_and_kind(shelf, tmp_path):
    tags = moodle_of(exported(shelf(KINDS[:1]), "moodle", tmp_path / "out")[1]["moodle.xml"])["a-single"]["tags"]
    assert tags == ["outcome derive", "syllabus X01", "difficulty 1", "kind single", "conceptual", "chapter one"]


def test_the_section_is_linked_only_where_the_book_has_an_address(shelf, tmp_path):
    book = shelf(KINDS[:1])
    plain = exported(book, "moodle", tmp_path / "a")[1]["moodle.xml"].decode()
    book.config["book"]["site-url"] = "https://book.example/"
    linked = exported(book, "moodle", tmp_path / "b")[1]["moodle.xml"].decode()
    assert "Section\u00a01.1, “The part”" in plain and "href" not in plain
    assert '<a href="https://book.example/chapters/part/one.html#sec-one-part">' in linked


def test_an_unknown_format_and_a_book_without_quizzes_are_one_sentence(shelf, tmp_path):
    with pytest.raises(BookError, match="expected one of: moodle, qti"):
        export(shelf(KINDS), [], "word")
    book = shelf(KINDS)
    book.chapters["part/one"].quiz.unlink()
    with pytest.raises(BookError, match="none of these chapters has a quiz"):
        export(book, [], "moodle")


# ---- QTI: the rules mark as the book does ----------------------------------------------------------------------------

PLAIN = {"and": all, "or": any, "sum": sum, "not": lambda args: not args[0], "member": lambda args: args[0] in args[1],
         "gte": lambda args: args[0] >= args[1], "lte": lambda args: args[0] <= args[1],
         "divide": lambda args: args[0] / args[1]}


class Processor:
    """A small engine for the response processing that the items use."""

    def __init__(self, item: etree._Element, response):
        self.item, self.given = item, response
        self.values = {"SCORE": 0.0, "FEEDBACK": []}
        for rule in item.find("responseProcessing"):
            self.run(rule)

    def run(self, rule):
        if rule.tag == "setOutcomeValue":
            self.values[rule.get("identifier")] = self.value(rule[0])
        elif self.value(rule[0][0]):
            for inner in rule[0][1:]:
                self.run(inner)

    def value(self, node):
        args = [self.value(child) for child in node]
        return PLAIN[node.tag](args) if node.tag in PLAIN else getattr(self, f"_{node.tag}")(node, args)

    def _variable(self, node, _):
        return self.given if node.get("identifier") == "RESPONSE" else self.values[node.get("identifier")]

    def _baseValue(self, node, _):
        return float(node.text) if node.get("baseType") == "float" else node.text

    def _match(self, node, args):
        return args[0] is not None and args[0] == args[1]

    def _multiple(self, node, args):
        return [*args[0], args[1]]

    def _index(self, node, args):
        return args[0][int(node.get("n")) - 1] if len(args[0]) >= int(node.get("n")) else None

    def _stringMatch(self, node, args):
        fold = str if node.get("caseSensitive") == "true" else str.lower
        return fold(args[0]) == fold(args[1])

    def _inside(self, node, args):
        x, y, radius = map(float, node.get("coords").split(","))
        return (args[0][0] - x) ** 2 + (args[0][1] - y) ** 2 <= radius ** 2

    def _mapResponse(self, node, _):
        mapping, folded = self.item.find("responseDeclaration/mapping"), {}
        for entry in mapping:
            folded[entry.get("mapKey")] = float(entry.get("mappedValue"))
        total = sum(folded.get(key, 0) for key in (self.given if isinstance(self.given, list) else [self.given]))
        return min(float(mapping.get("upperBound")), max(float(mapping.get("lowerBound")), total))

    def _mapResponsePoint(self, node, _):
        return sum(float(area.get("mappedValue")) for area in self.item.iter("areaMapEntry")
                   if self._inside(area, [self.given]))


@pytest.fixture
def items(shelf, tmp_path):
    return qti_of(exported(shelf(KINDS), "qti", tmp_path / "out")[1]["qti21.zip"])


QUESTIONS = {q["id"]: q for q in KINDS}


def question(name):
    from pydantic import TypeAdapter

    from press.quiz.source import AnyQuestion
    return TypeAdapter(AnyQuestion).validate_python(SHARED | QUESTIONS[name])


def test_qti_marks_choices_as_the_book_does_and_shows_the_chosen_feedback(items):
    for name in ("a-single", "a-multiple"):
        q = question(name)
        for count in range(1, len(q.options) + 1 if q.kind == "multiple" else 2):
            for chosen in combinations(range(len(q.options)), count):
                given = [f"answer_{i + 1}" for i in chosen]
                done = Processor(items[name], given if q.kind == "multiple" else given[0]).values
                assert done["SCORE"] == pytest.approx(marking.mark(q, chosen)), (name, chosen)
                assert done["FEEDBACK"] == [*(f"feedback_{i + 1}" for i in chosen), "general_explanation"]


@pytest.mark.parametrize("given", [2.5, 2.45, 2.55, 2.449, 2.551, 3, 99, 0])
def test_qti_marks_numbers_as_the_book_does(items, given):
    done = Processor(items["a-number"], given).values
    assert done["SCORE"] == marking.mark(question("a-number"), str(given))
    assert (given in (3, 99)) == ("feedback_1" in done["FEEDBACK"] or "feedback_2" in done["FEEDBACK"])


@pytest.mark.parametrize(("name", "given"), [("a-text", "hinge loss"), ("a-text", "max margin"), ("a-text", "foo"),
                                             ("a-shape", "(64,10)"), ("a-shape", "64×10"), ("a-shape", "(10, 64)"),
                                             ("a-output", "AA"), ("a-output", "aa")])
def test_qti_marks_texts_as_the_book_does(items, name, given):
    assert Processor(items[name], given).values["SCORE"] == marking.mark(question(name), given)


@pytest.mark.parametrize("place", [(50, 10), (50, 15), (10, 50), (70, 70)])
def test_qti_marks_places_as_the_book_does(items, place):
    shown = items["a-spot"].find(".//object")
    at = (place[0] / 100 * int(shown.get("width")), place[1] / 100 * int(shown.get("height")))
    done = Processor(items["a-spot"], at).values
    assert done["SCORE"] == marking.mark(question("a-spot"), place)
    assert len(done["FEEDBACK"]) == 2 and ("feedback_0" in done["FEEDBACK"]) == (place == (70, 70))


def test_qti_gives_full_marks_for_the_right_order_and_pairs_and_part_for_a_part(items):
    assert Processor(items["a-parsons"], ["entry_1", "entry_2", "entry_3"]).values["SCORE"] == pytest.approx(1)
    assert Processor(items["a-parsons"], ["entry_1", "entry_4"]).values["SCORE"] == pytest.approx(1 / 3)
    pairs = [f"left_{i} right_{i}" for i in (1, 2, 3)]
    assert Processor(items["a-match"], pairs).values["SCORE"] == pytest.approx(1)
    assert Processor(items["a-match"], [pairs[0], "left_2 right_3"]).values["SCORE"] == pytest.approx(1 / 3)


def test_a_template_is_a_section_of_which_one_variant_is_drawn(shelf, tmp_path):
    data = exported(shelf(KINDS), "qti", tmp_path / "out", variants=4)[1]["qti21.zip"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        tree, names = _bare(etree.fromstring(archive.read("tests/one.xml"))), set(archive.namelist())
    drawn = tree.find(".//assessmentSection[@identifier='draw-a-template']")
    assert drawn.find("selection").get("select") == "1" and len(drawn.findall("assessmentItemRef")) == 4
    assert {ref.get("href").replace("../", "") for ref in tree.iter("assessmentItemRef")} == \
        {name for name in names if name.startswith("items/")}


def test_the_manifest_names_every_file_of_the_package(shelf, tmp_path):
    for to, name in (("qti", "qti21.zip"), ("qti3", "qti30.zip")):
        with zipfile.ZipFile(io.BytesIO(exported(shelf(KINDS), to, tmp_path / "out")[1][name])) as archive:
            tree = _bare(etree.fromstring(archive.read("imsmanifest.xml")))
            assert {file.get("href") for file in tree.iter("file")} == set(archive.namelist()) - {"imsmanifest.xml"}
            known = {resource.get("identifier") for resource in tree.iter("resource")}
            assert {d.get("identifierref") for d in tree.iter("dependency")} <= known


def test_plain_items_use_the_standards_templates_only(shelf, tmp_path):
    report, files = exported(shelf(KINDS), "qti", tmp_path / "out", feedback=False)
    assert any("feedback and explanations are left out" in note for note in report.notes)
    for item in qti_of(files["qti21.zip"]).values():
        processing = item.find("responseProcessing")
        assert len(processing) == 0 and "/rptemplates/" in processing.get("template")
        assert item.find("modalFeedback") is None and item.find("responseDeclaration/correctResponse/value").text


def test_qti_3_says_what_2_1_says_under_its_own_names(shelf, tmp_path):
    book = shelf(KINDS)
    older = qti_of(exported(book, "qti", tmp_path / "out")[1]["qti21.zip"])
    newer = qti_of(exported(book, "qti3", tmp_path / "out")[1]["qti30.zip"])
    assert older.keys() == newer.keys()
    for name, item in newer.items():
        etree.strip_tags(item, "qti-content-body")
        ours, theirs = ([(tag, keys) for tag, keys in map(_named, tree.iter(etree.Element)) if tag not in OUTCOMES]
                        for tree in (item, older[name]))
        assert ours == theirs and said(item) == said(older[name]).replace(
            "A line that goes up and then down again.", ""), name


def test_each_feedback_of_qti_3_has_an_outcome_that_a_rule_sets(shelf, tmp_path):
    for item in qti_of(exported(shelf(KINDS), "qti3", tmp_path / "out")[1]["qti30.zip"]).values():
        declared = {d.get("identifier") for d in item.findall("qti-outcome-declaration")}
        rules = {(r.get("identifier"), r.findtext("qti-base-value")) for r in item.iter("qti-set-outcome-value")}
        for feedback in item.iter("qti-modal-feedback"):
            shown = feedback.get("outcome-identifier")
            assert shown in declared and (shown, feedback.get("identifier")) in rules


OUTCOMES = {"outcomeDeclaration", "setOutcomeValue", "multiple", "img", "object"}


def _named(node: etree._Element) -> tuple[str, dict[str, str]]:
    """An element's name and attributes in the older way of writing; how feedback is shown differs between the two."""
    left = ("template", "outcome-identifier", "outcomeIdentifier")
    keys = {_camel(k): v for k, v in node.attrib.items() if k[0] != "{" and k not in left}
    return ("outcomeDeclaration" if keys.get("identifier") == "FEEDBACK" else _camel(node.tag)), keys


def _camel(name: str) -> str:
    return re.sub(r"-(\w)", lambda m: m[1].upper(), name.removeprefix("qti-"))


SCHEMAS = Path(os.environ.get("DLBOOK_SCHEMAS", "no-schemas"))


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="DLBOOK_SCHEMAS names no folder with 1EdTech's schemas (qtiv2p1/…)")
def test_every_file_of_the_qti_package_is_valid_by_the_published_schemas(whole, shelf, tmp_path):
    names = ("qtiv2p1/imsqti_v2p1.xsd", "imscp_v1p1.xsd")
    item, package = (etree.XMLSchema(etree.parse(SCHEMAS / name)) for name in names)
    plain = exported(shelf(KINDS), "qti", tmp_path / "b", feedback=False)[1]
    for files in (whole("qti")[2], exported(shelf(KINDS), "qti", tmp_path / "a")[1], plain):
        with zipfile.ZipFile(io.BytesIO(files["qti21.zip"])) as archive:
            for name in archive.namelist():
                if name.endswith(".xml"):
                    (package if "manifest" in name else item).assertValid(etree.fromstring(archive.read(name)))


# ---- Anki ------------------------------------------------------------------------------------------------------------

def test_importing_an_edited_deck_again_updates_the_notes_and_adds_none(shelf, tmp_path):
    book = shelf(KINDS)
    before = anki_of(exported(book, "anki", tmp_path / "out")[1]["dlbook.apkg"], tmp_path)
    book = shelf([q | {"prompt": q["prompt"] + " Edited."} for q in KINDS])
    os.utime(book.chapters["part/one"].quiz, (2_000_000_000, 2_000_000_000))
    after = anki_of(exported(book, "anki", tmp_path / "out")[1]["dlbook.apkg"], tmp_path)
    assert {n: (note["guid"], note["model"]) for n, note in before.items()} == \
        {n: (note["guid"], note["model"]) for n, note in after.items()}
    assert all(after[n]["mod"] > before[n]["mod"] and "Edited" in after[n]["prompt"] for n in before)


def into_anki(collection, data: bytes, folder: Path):
    """What Anki itself says of an import: the lists new, updated, duplicate, conflicting and so on."""
    (folder / "deck.apkg").write_bytes(data)
    return collection.import_anki_package(ImportAnkiPackageRequest(
        package_path=str(folder / "deck.apkg"), options=ImportAnkiPackageOptions(merge_notetypes=True))).log


@pytest.fixture
def collection(tmp_path):
    """A reader's own, empty collection, as Anki keeps it."""
    opened = Collection(str(tmp_path / "collection.anki2"))
    yield opened
    opened.close()


def test_anki_itself_takes_every_note_of_the_book_and_shows_both_sides(whole, collection, tmp_path):
    book, _, files = whole("anki")
    log = into_anki(collection, files["dlbook.apkg"], tmp_path)
    assert len(log.new) == collection.card_count() == len(concrete(book))
    assert not (log.updated or log.duplicate or log.conflicting or log.empty_first_field or log.missing_deck)
    for number in collection.find_cards(""):
        card = collection.get_card(number)
        assert "{{" not in card.question() + card.answer() and len(words(card.answer())) > len(words(card.question()))
    pictures = set(re.findall(r'src="([^"]+)"', "".join(collection.get_note(n).joined_fields() for n in collection.find_notes(""))))
    assert pictures and pictures <= set(os.listdir(collection.media.dir()))


def test_anki_itself_updates_the_notes_of_an_edited_deck_and_keeps_their_reviews(shelf, collection, tmp_path):
    into_anki(collection, exported(shelf(KINDS), "anki", tmp_path / "out")[1]["dlbook.apkg"], tmp_path)
    card = collection.get_card(collection.find_cards("")[0])
    card.reps, card.ivl, card.type, card.queue = 3, 12, 2, 2
    collection.update_card(card)
    book = shelf([q | {"prompt": q["prompt"] + " Edited."} for q in KINDS])
    os.utime(book.chapters["part/one"].quiz, (2_000_000_000, 2_000_000_000))
    log = into_anki(collection, exported(book, "anki", tmp_path / "out")[1]["dlbook.apkg"], tmp_path)
    assert (len(log.new), len(log.updated)) == (0, collection.note_count())
    after = collection.get_card(card.id)
    assert (after.reps, after.ivl) == (3, 12) and "Edited" in after.question()


def test_anki_shows_no_option_in_the_sources_order_only(shelf, tmp_path):
    asked = [KINDS[0] | {"id": f"a-{i}"} for i in range(12)]
    found = anki_of(exported(shelf(asked), "anki", tmp_path / "out")[1]["dlbook.apkg"], tmp_path)
    assert len({text_of(note["answer"]) for note in found.values()}) == 3      # the right letter is A, B and C


# ---- hostile texts ---------------------------------------------------------------------------------------------------

NASTY = ["<script>alert(1)</script>", "</textarea>", "]]>", "&amp;", "}", "{", "~", "=1+1", "#", "####", ":", "::x::",
         "//", "->", "\\", "\\n", "$", "$$x$$", "\\(x\\)", "\x00", "\x1b[31m", "\u202e",
         "[sound:a.mp3]", "{{c1::x}}", "{{Question}}", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))",
         "[x]{onclick=\"f()\"}", "::: {.x onmouseover=f}", "```", "---\na: b\n---", "\\def\\a{\\a}\\a", "$\\frac{$",
         "<<", "%0%", "\n\n", "\r", "\t", "'", '"', "@SUM(A1)", "-1", "+2", "[html]", "$CATEGORY: a", "*", "|", "<!--",
         "é", "中"]
hostile = st.lists(st.sampled_from(NASTY) | st.text(max_size=8), min_size=1, max_size=5).map("".join).map(
    lambda text: text.strip() or "x")


def evil(i: int, a: str, b: str) -> list[dict]:
    """A question of each kind with the texts in all its fields."""
    options = [{"text": f"{n} {a}", "right": n == 0, "feedback": b} for n in range(3)]
    slips_ = [{"answer": f"w{n}{a}", "feedback": b} for n in range(2)]
    own = {"prompt": a, "explanation": b}
    return [own | {"id": f"e{i}-s", "kind": "single", "options": options},
            own | {"id": f"e{i}-t", "kind": "text", "answer": f"k {a}", "wrong": slips_},
            own | {"id": f"e{i}-n", "kind": "number", "answer": 5, "unit": a, "wrong": WRONG},
            own | {"id": f"e{i}-o", "kind": "order", "items": [f"{n} {a}" for n in range(3)], "distractors": [b + "d"],
                   "feedback": b, "code": bool(i % 2)},
            own | {"id": f"e{i}-m", "kind": "match", "feedback": b,
                   "pairs": [{"left": f"{n} {a}", "right": f"{b} {n}"} for n in range(3)]}]


def harmless(markup: str) -> bool:
    tree = html.fromstring(f"<div>{markup}</div>", parser=html.HTMLParser(huge_tree=True))
    return not any(n.tag in ("script", "iframe", "object", "textarea", "style", etree.Comment)
                   or "javascript:" in (n.get("href") or "") or any(key.startswith("on") for key in n.attrib)
                   for n in tree.iter())


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck),
          phases=(Phase.reuse, Phase.generate))      # six packages an example: shrinking one takes minutes
@given(st.lists(st.tuples(hostile, hostile), min_size=6, max_size=6))
def test_hostile_texts_come_out_as_text_in_well_formed_files(shelf, tmp_path, pairs):
    asked = [q for i, (a, b) in enumerate(pairs) for q in evil(i, a, b)]
    book = shelf(asked)
    names, texts = {q["id"] for q in asked}, {f"e{i}-t": f"k {a}" for i, (a, _) in enumerate(pairs)}
    source = concrete(book)
    moodle = moodle_of(exported(book, "moodle", tmp_path / "out")[1]["moodle.xml"])
    gift = gift_of(exported(book, "gift", tmp_path / "out")[1]["gift.txt"])
    qti = qti_of(exported(book, "qti", tmp_path / "out")[1]["qti21.zip"])
    anki = anki_of(exported(book, "anki", tmp_path / "out")[1]["dlbook.apkg"], tmp_path)
    table = exported(book, "csv", tmp_path / "out")[1]["quizzes.csv"]
    assert moodle.keys() == gift.keys() == qti.keys() == anki.keys() == csv_of(table).keys() == names
    for name in names:
        made = [moodle[name]["prompt"], moodle[name]["general"], gift[name]["prompt"], gift[name]["general"],
                *(a["feedback"] for a in moodle[name]["answers"] + gift[name]["answers"]),
                *list(anki[name].values())[:6]]
        assert all(map(harmless, made)), name
        counted = 3 if name.endswith("-s") else None
        assert counted is None or len(moodle[name]["answers"]) == len(gift[name]["answers"]) == counted
        if name.endswith("-m"):
            assert len(moodle[name]["pairs"]) == len(gift[name]["pairs"]) == 3
    for name in texts:
        key = prose.clean(source[name].answer)
        if moodle[name]["type"] == "shortanswer":
            assert moodle[name]["answers"][0]["text"].replace(r"\*", "*").strip() == key.strip()
            assert qti[name].find(".//correctResponse/value").text.strip() == key.strip()
        if gift[name]["type"] == "shortanswer":
            written = gift[name]["answers"][0]["text"].replace(r"\*", "*")
            assert written.split() == key.split()          # an answer of GIFT is one line
        assert csv_of(table)[name]["answer_1"] == sheet.safe(source[name].answer).removeprefix("'")
    cells = [cell for row in csv.reader(io.StringIO(table.decode("utf-8-sig"), newline="")) for cell in row]
    number = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")
    assert not [cell for cell in cells if re.match(r"[=+\-@\t\r]", cell) and not number.fullmatch(cell)]


@pytest.mark.parametrize("to", FORMATS)
def test_texts_of_a_megabyte_come_out_whole_and_in_time(shelf, tmp_path, to):
    long = {"plain": "word " * 200_000, "brackets": "[" * 1_000_000}
    asked = [KINDS[0] | {"id": f"a-{name}", "prompt": text + "the end"} for name, text in long.items()]
    files = exported(shelf(asked), to, tmp_path / "out")[1]
    data = next(iter(files.values()))
    found = {"moodle": moodle_of, "gift": gift_of, "csv": csv_of, "qti": qti_of, "qti3": qti_of,
             "anki": lambda data: anki_of(data, tmp_path)}[to](data)
    for name, text in long.items():
        made = found[f"a-{name}"]
        shown = "".join(made.itertext()) if to.startswith("qti") else made["prompt"]
        assert "the end" in shown and shown.count(text[0]) >= text.count(text[0])


def test_a_text_that_pandoc_would_read_for_ever_comes_out_as_it_is_and_leaves_the_others_alone(shelf, monkeypatch):
    monkeypatch.setattr(prose, "PATIENCE", 9.0)
    chapter = shelf(KINDS[:1]).chapters["part/one"]
    bomb = "`" * 15_000
    made = prose.Prose(chapter, ["*well*", bomb], {}, {})
    assert made.html("*well*") == "<p><em>well</em></p>" and bomb in made.html(bomb)
