"""A small book whose quizzes have every kind of question, and a second one whose questions are hostile."""

from __future__ import annotations

from pathlib import Path

import yaml

from press.book import Book
from tests import kitchen

MAP = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100" viewBox="0 0 200 100">'
    '<rect width="200" height="100" fill="#fff"/><circle cx="40" cy="50" r="15" fill="#0b62a4"/>'
    '<circle cx="160" cy="50" r="15" fill="#c35a00"/></svg>'
)
HEAD = {"lines": ["X01"], "difficulty": 1, "conceptual": True, "section": "sec-first-table"}
WRONG = [{"answer": 7, "feedback": "Seven counts twice."}, {"answer": 9, "feedback": "Nine counts thrice."}]


def asked(name: str, kind: str, outcome: str = "cook", **fields: object) -> dict:
    return (
        HEAD
        | {
            "id": name,
            "kind": kind,
            "outcome": outcome,
            "prompt": f"The prompt of {name}.",
            "explanation": f"The explanation of {name}.",
        }
        | fields
    )


def option(text: str, feedback: str, right: bool = False) -> dict:
    return {"text": text, "feedback": feedback, "right": right}


def region(label: str, x: float, y: float, right: bool = False) -> dict:
    return {"label": label, "x": x, "y": y, "radius": 15, "right": right, "feedback": f"You marked the {label}."}


EVERY = [
    asked(
        "one-single",
        "single",
        prompt="What is $2^2$, as in @eq-first-norm?",
        options=[
            option("It is $\\frac{8}{2}$", "Eight halves are four.", True),
            option("It is `5`", "That adds one too many."),
            option("It is $2$", "That forgets the square."),
            option("It is $-4$", "That turns the sign."),
        ],
    ),
    asked(
        "one-multiple",
        "multiple",
        "taste",
        options=[
            option("salt", "Salt it is.", True),
            option("pepper", "Pepper it is.", True),
            option("sand", "Sand grinds."),
            option("glue", "Glue sticks."),
            option("paint", "Paint is for walls."),
        ],
    ),
    asked("one-number", "number", answer=2.5, relative=0.01, unit="s", units={"ms": 0.001}, figures=2, wrong=WRONG),
    asked(
        "one-text",
        "text",
        answer="hinge loss",
        accept=["margin loss"],
        wrong=[
            {"answer": "log loss", "feedback": "The log loss has no corner."},
            {"answer": "MSE", "feedback": "That one is square."},
        ],
    ),
    asked(
        "one-shape",
        "shape",
        answer="(64, 10)",
        wrong=[
            {"answer": "(10, 64)", "feedback": "Turned round."},
            {"answer": "(64,)", "feedback": "One axis is lost."},
        ],
    ),
    asked(
        "one-output",
        "output",
        code="for i in range(2):\n    print('row', i)",
        answer="row 0\nrow 1",
        wrong=[
            {"answer": "row 1\nrow 2", "feedback": "Counting starts at nought."},
            {"answer": "row", "feedback": "Twice, with numbers."},
        ],
    ),
    asked(
        "one-order", "order", "serve", items=["peel $x_1$", "chop it", "fry it", "eat it"], feedback="Think of the pan."
    ),
    asked(
        "one-parsons",
        "order",
        "serve",
        code=True,
        items=["total = 0", "for x in xs:", "    total += x", "print(total)"],
        distractors=["total = x"],
        feedback="Set up, loop, print.",
    ),
    asked(
        "one-match",
        "match",
        "serve",
        feedback="Squares and cubes.",
        pairs=[
            {"left": "$x^2$", "right": "the **square** of $x$"},
            {"left": "$x^3$", "right": "the cube of $x$"},
            {
                "left": "$\\sqrt{x}$",
                "right": "its root, with a name that is so long that a menu must cut it short somewhere",
            },
        ],
    ),
    asked(
        "one-figure",
        "spot",
        figure="fig-first-line",
        alt="A straight line that rises from left to right.",
        missed="Nothing is there.",
        regions=[region("lower end", 5, 95), region("middle", 50, 50), region("upper end", 95, 5, True)],
    ),
    asked(
        "one-file",
        "spot",
        figure="map.svg",
        alt="A map with one blue and one orange place.",
        missed="The sea.",
        regions=[region("blue place", 20, 50, True), region("orange place", 80, 50), region("far corner", 2, 2)],
    ),
    asked(
        "one-template",
        "number",
        "taste",
        prompt="What is <<a>> times <<b>>?",
        answer="<<a * b>>",
        explanation="It is <<a * b>>.",
        wrong=[
            {"answer": "<<a + b>>", "feedback": "That is the sum."},
            {"answer": "<<a * b * b>>", "feedback": "Once too often."},
        ],
        variants={"count": 8, "seed": 3, "draw": "a = rng.randint(3, 9)\nb = rng.randint(11, 19)"},
    ),
]
QUIZ = {"chapter": "one/first", "questions": EVERY}

BOMB = "$" + "\\frac{1}{" * 150 + "x" + "}" * 150 + "$"
ATTACKS = [
    "<script>broken()</script>",
    "</textarea></section>",
    "</iframe></details>",
    "--> <!--",
    "<!-- quiz-fragment",
    "<img src=x onerror=broken()>",
    "</dl-quiz></div>",
    "<style>* {display: none}</style>",
    "\n\n:::\n\n::::::\n",
    "`<b>`{=html}",
    "\n\n```{=html}\n<script>broken()</script>\n```\n",
    '"); broken(); ("',
    "<<<",
    "&lt;b&gt; &amp;",
    "]]>",
    "<iframe srcdoc='<script>parent.broken()</script>'></iframe>",
]
WIDE = "z" * 3_000
LONG = WIDE + " zzzz" * 200_000


def attack(n: int) -> str:
    """A text that holds every attack, and a number that tells it from others."""
    return f"field {n} " + " ".join(ATTACKS)


HOSTILE = [
    asked(
        "two-single",
        "single",
        prompt=attack(1),
        explanation=attack(2),
        options=[
            option(attack(3), attack(4), True),
            option(attack(5), attack(6)),
            option(BOMB, "A tower of fractions."),
        ],
    ),
    asked(
        "two-text",
        "text",
        prompt=attack(7),
        answer="</textarea><script>broken()</script>",
        wrong=[{"answer": "<b>", "feedback": attack(8)}, {"answer": "</script>", "feedback": "no"}],
    ),
    asked(
        "two-order",
        "order",
        prompt="Sort.",
        items=[attack(9), attack(10), attack(11)],
        distractors=[attack(12)],
        feedback=attack(13),
    ),
    asked(
        "two-parsons",
        "order",
        prompt="Sort.",
        code=True,
        items=["</code><script>broken()</script>", "x = '-->'", "```"],
        feedback="Look again.",
    ),
    asked(
        "two-match",
        "match",
        feedback=attack(14),
        pairs=[{"left": attack(15 + i), "right": attack(20 + i)} for i in range(3)],
    ),
    asked(
        "two-spot",
        "spot",
        figure="fig-first-line",
        alt='A dot "><script>broken()</script>',
        missed=attack(30),
        regions=[region(attack(31), 5, 5, True), region("b", 50, 50), region("c", 90, 90)],
    ),
    asked("two-unit", "number", answer=3, unit="<b>s</b>", wrong=WRONG),
    asked(
        "two-long", "single", explanation=LONG, options=[option(WIDE, "aa", True), option("b", "bb"), option("c", "cc")]
    ),
]
BLUEPRINTS = {
    "mock": {
        "title": "Mock exam",
        "kind": "exam",
        "minutes": 30,
        "seed": 1,
        "introduction": "Half an hour.",
        "sections": [
            {"title": "Choices", "count": 2, "kinds": ["single", "multiple"], "points": 2},
            {"title": "Numbers", "count": 2, "kinds": ["number"], "points": 3},
            {"title": "Order", "count": 1, "kinds": ["order"], "points": 1},
        ],
    },
    "recap": {
        "title": "Recap: first",
        "kind": "recap",
        "seed": 1,
        "introduction": "Three questions.",
        "sections": [{"title": "All", "count": 3, "kinds": ["single", "number", "text"]}],
    },
}
SYLLABUS = {
    "courses": {"X": "A course of cooking"},
    "lines": [
        {"id": "X01", "text": "cooking", "covers": ["one/first"]},
        {"id": "X02", "text": "washing up", "covers": ["three/third"]},
        {"id": "X03", "text": "tidiness", "covers": ["all"]},
    ],
}


def write(root: Path) -> Book:
    """The kitchen book with these quizzes, two blueprints and a course."""
    book = kitchen.write(root, QUIZ)
    (root / "chapters/one/map.svg").write_text(MAP, encoding="utf-8")
    files = {f"quizzes/blueprints/{name}.yml": made for name, made in BLUEPRINTS.items()} | {"syllabus.yml": SYLLABUS}
    for name, made in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    return book


def write_hostile(root: Path) -> Book:
    """The kitchen book whose first chapter asks the hostile questions."""
    return kitchen.write(root, {"chapter": "one/first", "questions": HOSTILE})
