"""QTI 3.0: the items, tests and manifest of QTI 2.1 under the names and in the namespaces of the newer version."""

from __future__ import annotations

import re

from lxml import etree

from press.quiz.export import qti
from press.quiz.export.entries import Entry
from press.quiz.export.job import Job, element, zipped
from press.quiz.export.prose import KEPT

MEDIA = qti.MEDIA
SPACE = "http://www.imsglobal.org/xsd/imsqtiasi_v3p0"
SCHEMA = "https://purl.imsglobal.org/spec/qti/v3p0/schema/xsd/imsqti_asiv3p0_v1p0.xsd"
TEMPLATES = "https://purl.imsglobal.org/spec/qti/v3p0/rptemplates/"
PACKAGE = "http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1"
PLATFORMS = {
    "import": "For systems that name QTI 3.0 (TAO, Citolab's and amp-up's players). Canvas and Blackboard read 2.1: "
           "export with --to qti for them.",
}


def write(job: Job) -> dict[str, bytes]:
    return {"qti30.zip": zipped(qti.package(job, item, test, manifest))}


def item(job: Job, entry: Entry) -> etree._Element:
    return renamed(qti.item(job, entry))


def test(entries: list[Entry]) -> etree._Element:
    return renamed(qti.test(entries))


def manifest(job: Job) -> etree._Element:
    return qti.manifested(job, "imsqti_item_xmlv3p0", "imsqti_test_xmlv3p0", "QTI Package", "3.0.0", PACKAGE)


def renamed(tree: etree._Element) -> etree._Element:
    """The tree with QTI's own elements as `qti-…`, attributes with hyphens; HTML and MathML stay as they are."""
    _flatten(tree)
    made = _renamed(tree)
    made.set(qti.XSI, f"{SPACE} {SCHEMA}")
    return made


def _flatten(tree: etree._Element) -> None:
    """Give each feedback an outcome of its own: players join containers in different ways, which Canvas asks for."""
    old = f"{{{qti.SPACE}}}"
    for rule in tree.iter(old + "setOutcomeValue"):
        if rule.get("identifier") == "FEEDBACK":
            value = next(rule.iter(old + "baseValue"))
            rule.set("identifier", f"show_{value.text}")
            rule[:] = [value]
    told = list(tree.iter(old + "modalFeedback"))
    for declared in tree.findall(f"{old}outcomeDeclaration[@identifier='FEEDBACK']"):
        for feedback in told:
            declared.addprevious(element(old + "outcomeDeclaration", identifier=f"show_{feedback.get('identifier')}",
                                         cardinality="single", baseType="identifier"))
        tree.remove(declared)
    for feedback in told:
        feedback.set("outcomeIdentifier", f"show_{feedback.get('identifier')}")


def _renamed(node: etree._Element) -> etree._Element:
    space, name = node.tag[1:].split("}")
    if space != qti.SPACE:
        return node
    if name == "object":      # 3.0 shows a picture as HTML does
        return _picture(node)
    own = name not in KEPT
    attributes = {_hyphened(key) if own and key[0] != "{" else key: value for key, value in node.attrib.items()}
    if "template" in attributes:
        attributes["template"] = attributes["template"].replace(qti.TEMPLATES, TEMPLATES) + ".xml"
    made = etree.Element(f"{{{SPACE}}}" + (f"qti-{_hyphened(name)}" if own else name), attributes,
                         nsmap={None: SPACE} | ({"xsi": qti.XSI[1:].split("}")[0]} if node.getparent() is None else {}))
    made.text, made.tail = node.text, node.tail
    for child in list(node):
        made.append(_renamed(child))
    return _contained(made) if name == "modalFeedback" else made


def _hyphened(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda found: "-" + found[1].lower(), name)


def _picture(node: etree._Element) -> etree._Element:
    made = element(f"{{{SPACE}}}img", src=node.get("data"), alt=node.text or "", width=node.get("width"),
                   height=node.get("height"))
    made.tail = node.tail
    return made


def _contained(feedback: etree._Element) -> etree._Element:
    """A feedback's content stands in a body of its own."""
    body = element(f"{{{SPACE}}}qti-content-body", *list(feedback))
    feedback.append(body)
    return feedback
