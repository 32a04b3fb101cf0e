"""QTI 2.1: a content package with one file a question and a test for each chapter, formulas as MathML.

The items say all that the standard can say; their rules are written so that Canvas, whose importer reads them by
pattern, finds key and feedback (gems/plugins/qti_exporter in its source). `feedback=False` writes the standard's own
response templates instead, for systems that skip items with rules of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lxml import etree

from press.quiz.export.entries import LINES, Entry, allowed, as_choice, asked, explained, line, one_line, spellings
from press.quiz.export.job import Job, element, sections, slips, templates, zipped
from press.quiz.export.pictures import Picture, find
from press.quiz.export.prose import Prose, clean
from press.quiz.source import Choice, Match, Number, Order, Spot, Text

MEDIA = "../media/"
SPACE = "http://www.imsglobal.org/xsd/imsqti_v2p1"
SCHEMA = "http://www.imsglobal.org/xsd/qti/qtiv2p1/imsqti_v2p1.xsd"
TEMPLATES = "http://www.imsglobal.org/question/qti_v2p1/rptemplates/"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
LOM = "http://www.imsglobal.org/xsd/imsmd_v1p2"
PLATFORMS = {
    "import": "Canvas: Settings, Import Course Content, QTI .zip file; a test becomes a quiz, a template a group that "
              "draws one variant. Blackboard (Original course view): Tests, Surveys and Pools, Pools, Import QTI 2.1; "
              "its help says that it skips questions with response rules of their own: export with --plain for it.",
    "single": "Canvas: multiple choice, feedback kept. Blackboard: multiple choice.",
    "multiple": "Canvas: multiple answers, feedback kept. Blackboard: multiple answers.",
    "number": "Canvas: a blank that compares text, so give it the question type numerical and the tolerance by hand. "
              "Blackboard: a blank, or skipped.",
    "text": "Canvas: a blank with the first spelling only; add the others by hand. Blackboard: fill in the blank.",
    "shape": "As text.",
    "output": "As text; one whose answer has several lines as single.",
    "order": "Canvas: matching with places 1, 2, …. Blackboard: not in its list of kinds that it reads.",
    "match": "Canvas: matching; its menus show formulas as plain text. Blackboard: not in its list.",
    "spot": "Canvas: not supported, its import says so. Blackboard: not in its list.",
}

PLAIN = {"number": "without its tolerance", "order": "marked as a whole", "text": "the listed spellings",
         "shape": "the listed spellings", "output": "the listed spellings"}
SILENT = "feedback and explanations are left out: the standard's response templates show none"


@dataclass
class Item:
    """The parts of an assessmentItem. rules: each gives a condition, feedback's identifier and the element to show."""

    interaction: str
    declaration: etree._Element
    body: list[etree._Element]
    template: str
    score: list[etree._Element]
    told: list[tuple[etree._Element, str]] = field(default_factory=list)
    otherwise: str = ""
    remark: str = ""


def write(job: Job) -> dict[str, bytes]:
    return {"qti21.zip": zipped(package(job, item, test, manifest))}


def package(job: Job, make_item, make_test, make_manifest) -> dict[str, bytes]:  # noqa: ANN001
    """The files of a content package; the three functions write what differs between the versions."""
    files: dict[str, bytes] = {}
    job.report.note([] if job.feedback else [SILENT])
    for entry in job.entries:
        files[f"items/{entry.id}.xml"] = _xml(make_item(job, entry))
        for picture in shown(job, entry):
            files[f"media/{picture.name}"] = picture.data
    for chapter, entries in job.chapters():
        files[f"tests/{chapter.slug}.xml"] = _xml(make_test(entries))
    return {"imsmanifest.xml": _xml(make_manifest(job))} | files


def _xml(tree: etree._Element) -> bytes:
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")


def shown(job: Job, entry: Entry) -> list[Picture]:
    """The pictures that the item shows."""
    own = [find(entry.chapter, entry.question.figure)] if isinstance(entry.question, Spot) else []
    return own + job.pictures(entry)


# ---- an item ---------------------------------------------------------------------------------------------------------

def item(job: Job, entry: Entry) -> etree._Element:
    """The assessmentItem of a question."""
    made = parts(job, entry)
    job.report.became(entry, made.interaction, made.remark if job.feedback else PLAIN.get(entry.question.kind, ""))
    tree = _assembled(job, entry, made)
    tree.set(XSI, f"{SPACE} {SCHEMA}")
    return _in_space(tree, SPACE)


def _assembled(job: Job, entry: Entry, made: Item) -> etree._Element:
    told = _feedback(job, entry, made) if job.feedback else []
    template = element("responseProcessing", template=TEMPLATES + made.template)
    processing = _processing(made) if job.feedback else template
    return element("assessmentItem", made.declaration, *_outcomes(job.feedback), element("itemBody", *made.body),
                   processing, *told, identifier=entry.id, title=entry.id, adaptive="false", timeDependent="false",
                   toolName="dlbook")


def _outcomes(feedback: bool) -> list[etree._Element]:
    def outcome(name: str, kind: str, cardinality: str, value: str | None = None) -> etree._Element:
        default = element("defaultValue", element("value", text=value)) if value else None
        return element("outcomeDeclaration", default, identifier=name, cardinality=cardinality, baseType=kind)
    declared = [outcome("SCORE", "float", "single", "0"), outcome("MAXSCORE", "float", "single", "1")]
    return [*declared, outcome("FEEDBACK", "identifier", "multiple")] if feedback else declared


def parts(job: Job, entry: Entry) -> Item:
    prose = job.of(entry)
    match entry.question:
        case Choice() as question:
            return _choice(prose, question)
        case Number() as question:
            return _number(job, entry, question)
        case Text() as question if one_line(question):
            return _short(prose, question)
        case Text() as question:
            made = _choice(prose, as_choice(question))
            made.remark = LINES
            return made
        case Order() as question:
            return _order(prose, question)
        case Match() as question:
            return _match(prose, question)
        case Spot() as question:
            return _spot(prose, entry, question)
    raise TypeError(f"{entry.question.kind} is no kind that QTI can be written for")


def _choice(prose: Prose, question: Choice) -> Item:
    names = [f"answer_{i}" for i, _ in enumerate(question.options, 1)]
    right = [name for name, option in zip(names, question.options, strict=True) if option.right]
    single = question.kind == "single"
    shares = {name: 1 / len(right) if name in right else 0.0 if single else -1 / len(right) for name in names}
    options = (element("simpleChoice", *_blocks(prose, option.text), identifier=name)
               for name, option in zip(names, question.options, strict=True))
    interaction = element("choiceInteraction", *options, responseIdentifier="RESPONSE", shuffle="true",
                          maxChoices="1" if single else "0")
    rules = [(_chosen(name, single), option.feedback) for name, option in zip(names, question.options, strict=True)]
    return Item("choiceInteraction", _declared(right, "single" if single else "multiple", "identifier", shares),
                [_block(prose, asked(question)), interaction], "match_correct" if single else "map_response",
                [_score(element("mapResponse", identifier="RESPONSE"))], rules)


def _chosen(name: str, single: bool) -> etree._Element:
    value = _value("identifier", name)
    return element("match", _response(), value) if single else element("member", value, _response())


def _number(job: Job, entry: Entry, question: Number) -> Item:
    prose, reach = job.of(entry), allowed(question) + 1e-9 * abs(question.answer)
    score = _condition(_between(question.answer, reach), _score(_value("float", "1")))
    rules = [(_between(value, reach), told) for value, told in slips(question, job.report)]
    units = f"; the units {', '.join(question.units)} are not read" if question.units else ""
    return Item("textEntryInteraction", _declared([f"{question.answer:.15g}"], "single", "float"),
                [*_entry(prose, asked(question))], "match_correct", [score], rules,
                remark=f"a number within its tolerance{units}")


def _between(value: float, reach: float) -> etree._Element:
    """The response lies within reach of the value: written as Canvas and the standard both read it."""
    low, high = (_value("float", f"{edge:.15g}") for edge in (value - reach, value + reach))
    return element("and", element("gte", _response(), low), element("lte", _response(), high))


def _short(prose: Prose, question: Text) -> Item:
    """Spellings with their share; case counts in printed text only."""
    forms = [clean(text) for text in spellings(question)]
    case = str(question.kind == "output").lower()
    declaration = _declared(forms[:1], "single", "string", dict.fromkeys(forms, 1.0))
    for spelled in declaration.iter("mapEntry"):
        spelled.set("caseSensitive", case)
    rules = [(element("stringMatch", _response(), _value("string", clean(str(wrong.answer))), caseSensitive=case),
              wrong.feedback) for wrong in question.wrong]
    return Item("textEntryInteraction", declaration, _entry(prose, asked(question)), "map_response",
                [_score(element("mapResponse", identifier="RESPONSE"))], rules,
                remark=f"{question.kind}: the listed spellings")


def _order(prose: Prose, question: Order) -> Item:
    """Each entry in its place earns its share; entries that do not belong are left where they are."""
    entries = [*question.items, *question.distractors]
    names = [f"entry_{i}" for i, _ in enumerate(entries, 1)]
    choices = (element("simpleChoice", *_blocks(prose, line(question, entry)), identifier=name)
               for name, entry in zip(names, entries, strict=True))
    interaction = element("orderInteraction", *choices, responseIdentifier="RESPONSE", shuffle="true")
    if question.distractors:
        interaction.set("minChoices", "1")
    placed = [_condition(element("match", element("index", _response(), n=str(i)), _value("identifier", names[i - 1])),
                         _score(element("sum", element("variable", identifier="SCORE"), _value("float", "1"))))
              for i, _ in enumerate(question.items, 1)]
    share = element("divide", element("variable", identifier="SCORE"), _value("float", str(len(question.items))))
    return Item("orderInteraction", _declared(names[:len(question.items)], "ordered", "identifier"),
                [_block(prose, asked(question)), interaction], "match_correct", [*placed, _score(share)],
                remark="marked place by place" if question.distractors == [] else
                "marked place by place; distractors may stay behind")


def _match(prose: Prose, question: Match) -> Item:
    pairs = {f"left_{i} right_{i}": 1 / len(question.pairs) for i, _ in enumerate(question.pairs, 1)}

    def side(name: str) -> etree._Element:
        return element("simpleMatchSet", *(element(
            "simpleAssociableChoice", *_blocks(prose, getattr(pair, name)), identifier=f"{name}_{i}", matchMax="1")
            for i, pair in enumerate(question.pairs, 1)))
    interaction = element("matchInteraction", side("left"), side("right"), responseIdentifier="RESPONSE",
                          shuffle="true", maxAssociations=str(len(question.pairs)))
    return Item("matchInteraction", _declared(pairs, "multiple", "directedPair", pairs),
                [_block(prose, asked(question)), interaction], "map_response",
                [_score(element("mapResponse", identifier="RESPONSE"))])


def _spot(prose: Prose, entry: Entry, question: Spot) -> Item:
    picture = find(entry.chapter, question.figure)
    width, height = picture.size
    discs = [f"{width * r.x / 100:.0f},{height * r.y / 100:.0f},{max(1, width * r.radius / 100):.0f}"
             for r in question.regions]
    right = next(i for i, region in enumerate(question.regions) if region.right)
    declaration = element(
        "responseDeclaration", element("correctResponse", element("value", text=" ".join(discs[right].split(",")[:2]))),
        element("areaMapping", element("areaMapEntry", shape="circle", coords=discs[right], mappedValue="1"),
                defaultValue="0"), identifier="RESPONSE", cardinality="single", baseType="point")
    shown = element("object", text=clean(question.alt), data=MEDIA + picture.name, type=picture.media_type,
                    width=str(width), height=str(height))
    interaction = element("selectPointInteraction", shown, responseIdentifier="RESPONSE", maxChoices="1")
    rules = [(element("inside", _response(), shape="circle", coords=disc), region.feedback)
             for disc, region in zip(discs, question.regions, strict=True)]
    return Item("selectPointInteraction", declaration, [_block(prose, asked(question)), interaction],
                "map_response_point", [_score(element("mapResponsePoint", identifier="RESPONSE"))], rules,
                question.missed)


# ---- declarations, rules, feedback -----------------------------------------------------------------------------------

def _declared(correct: Iterable[str], cardinality: str, kind: str, shares: dict[str, float] | None = None
              ) -> etree._Element:
    """What is right, and what each answer earns, never less than nothing or more than one mark."""
    key = element("correctResponse", *(element("value", text=value) for value in correct))
    mapping = element("mapping", *(element("mapEntry", mapKey=name, mappedValue=f"{share:.15g}")
                                   for name, share in shares.items()),
                      lowerBound="0", upperBound="1", defaultValue="0") if shares else None
    return element("responseDeclaration", key, mapping, identifier="RESPONSE", cardinality=cardinality, baseType=kind)


def _response() -> etree._Element:
    return element("variable", identifier="RESPONSE")


def _value(kind: str, text: str) -> etree._Element:
    return element("baseValue", text=text, baseType=kind)


def _score(value: etree._Element) -> etree._Element:
    return element("setOutcomeValue", value, identifier="SCORE")


def _condition(condition: etree._Element, *then: etree._Element) -> etree._Element:
    return element("responseCondition", element("responseIf", condition, *then))


def _told(name: str) -> etree._Element:
    """The rule that shows a feedback beside those that are shown already; Canvas knows this form."""
    return element("setOutcomeValue", element("multiple", element("variable", identifier="FEEDBACK"),
                                              _value("identifier", name)), identifier="FEEDBACK")


def _processing(made: Item) -> etree._Element:
    """Score, the feedback of what was answered, and the explanation for all."""
    rules = [_condition(condition, _told(f"feedback_{i}")) for i, (condition, _) in enumerate(made.told, 1)]
    if made.otherwise:
        within = element("or", *(_copy(condition) for condition, _ in made.told))
        rules.append(_condition(element("not", within), _told("feedback_0")))
    return element("responseProcessing", *made.score, *rules, _told("general_explanation"))


def _copy(node: etree._Element) -> etree._Element:
    return etree.fromstring(etree.tostring(node))


def _feedback(job: Job, entry: Entry, made: Item) -> Iterator[etree._Element]:
    prose = job.of(entry)
    numbered = [(f"feedback_{i}", told) for i, (_, told) in enumerate(made.told, 1)]
    missed = [("feedback_0", made.otherwise)] if made.otherwise else []
    for name, told in [*missed, *numbered, ("general_explanation", explained(entry.question))]:
        yield element("modalFeedback", *_single(prose, told), outcomeIdentifier="FEEDBACK", identifier=name,
                      showHide="show")


def _single(prose: Prose, text: str) -> list[etree._Element]:
    """A feedback in one element: Canvas takes the first paragraph, so several become divs within one."""
    blocks = _blocks(prose, text)
    if len(blocks) < 2:
        return blocks
    for block in blocks:
        block.tag = "div" if block.tag == "p" else block.tag
    return [element("div", *blocks)]


# ---- texts -----------------------------------------------------------------------------------------------------------

def _block(prose: Prose, text: str) -> etree._Element:
    """The text in one div, which is what Canvas takes for the question's text."""
    return element("div", *_blocks(prose, text))


def _blocks(prose: Prose, text: str) -> list[etree._Element]:
    copied = _copy(prose.mathml(text))
    for child in copied:
        child.tail = None
    return list(copied)


def _entry(prose: Prose, text: str) -> list[etree._Element]:
    return [_block(prose, text), element("p", element("textEntryInteraction", responseIdentifier="RESPONSE"))]


def _in_space(tree: etree._Element, space: str) -> etree._Element:
    """The tree with its own elements in the namespace, those of MathML in theirs."""
    spaces = {None: space, "xsi": XSI[1:].split("}")[0]}
    made = etree.Element(_qualified(tree.tag, space), dict(tree.attrib), nsmap=spaces)
    made.text = tree.text
    for child in tree:
        made.append(_respaced(child, space))
    return made


def _respaced(node: etree._Element, space: str) -> etree._Element:
    math = node.tag.startswith("{")
    made = etree.Element(_qualified(node.tag, space), dict(node.attrib),
                         nsmap={None: node.tag[1:].partition("}")[0] if math else space})
    made.text, made.tail = node.text, node.tail
    for child in node:
        made.append(_respaced(child, space))
    return made


def _qualified(tag: str, space: str) -> str:
    return tag if tag.startswith("{") else f"{{{space}}}{tag}"


# ---- tests and manifest ----------------------------------------------------------------------------------------------

def test(entries: list[Entry]) -> etree._Element:
    """The assessmentTest of a chapter: its sections; a template is a section of which one variant is drawn."""
    chapter = entries[0].chapter
    parts_ = (_section(f"section_{i}", name, found) for i, (name, found) in enumerate(sections(entries), 1))
    part = element("testPart", element("itemSessionControl", maxAttempts="0", showFeedback="true"), *parts_,
                   identifier="part_1", navigationMode="nonlinear", submissionMode="individual")
    tree = element("assessmentTest", part, identifier=f"test-{chapter.slug}", title=clean(entries[0].title))
    tree.set(XSI, f"{SPACE} {SCHEMA}")
    return _in_space(tree, SPACE)


def _section(name: str, title: str, entries: list[Entry]) -> etree._Element:
    singles = [_reference(entry) for entry in entries if not entry.variant]
    drawn = [element("assessmentSection", element("selection", select="1"), *map(_reference, found),
                     identifier=f"draw-{template}", title=template, visible="false")
             for template, found in templates(entries)]
    return element("assessmentSection", *singles, *drawn, identifier=name, title=clean(title), visible="false")


def _reference(entry: Entry) -> etree._Element:
    return element("assessmentItemRef", identifier=entry.id, href=f"../items/{entry.id}.xml")


def manifest(job: Job) -> etree._Element:
    """imsmanifest.xml: every item with its kind and tags, every test, the pictures that they need."""
    return manifested(job, "imsqti_item_xmlv2p1", "imsqti_test_xmlv2p1", "QTIv2.1 Package", "1.0.0", PACKAGE)


def manifested(job: Job, item_type: str, test_type: str, schema: str, version: str, space: str) -> etree._Element:
    """A manifest with the types of resources, the schema and the namespace of a version of QTI."""
    resources = [_resource(job, entry, item_type) for entry in job.entries]
    for chapter, entries in job.chapters():
        path = f"tests/{chapter.slug}.xml"
        resources.append(element("resource", element("file", href=path), *(
            element("dependency", identifierref=entry.id) for entry in entries),
            identifier=f"test-{chapter.slug}", type=test_type, href=path))
    names = {picture.name for entry in job.entries for picture in shown(job, entry)}
    resources += [element("resource", element("file", href=f"media/{name}"), identifier=_media(name), type="webcontent",
                          href=f"media/{name}") for name in sorted(names)]
    known = element("metadata", element("schema", text=schema), element("schemaversion", text=version))
    tree = element("manifest", known, element("organizations"), element("resources", *resources),
                   identifier="dlbook-quizzes")
    return _in_space(tree, space)


def _media(name: str) -> str:
    return "media-" + "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def _resource(job: Job, entry: Entry, item_type: str) -> etree._Element:
    path, pictures = f"items/{entry.id}.xml", shown(job, entry)
    files = [element("file", href=href) for href in (path, *(f"media/{picture.name}" for picture in pictures))]
    return element("resource", _metadata(entry), *files,
                   *(element("dependency", identifierref=_media(picture.name)) for picture in pictures),
                   identifier=entry.id, type=item_type, href=path)


def _metadata(entry: Entry) -> etree._Element:
    """Title and tags as LOM, and the interaction of an order, which Canvas does not find by itself."""
    def said(tag: str, text: str) -> etree._Element:
        return element(f"{{{LOM}}}{tag}", element(f"{{{LOM}}}langstring", text=text))
    general = element(f"{{{LOM}}}general", said("title", entry.id), *(said("keyword", tag) for tag in entry.tags))
    kind = element(f"{{{SPACE}}}interactionType", text="orderInteraction")
    told = element(f"{{{SPACE}}}qtiMetadata", kind) if isinstance(entry.question, Order) else None
    return element("metadata", element(f"{{{LOM}}}lom", general), told)
