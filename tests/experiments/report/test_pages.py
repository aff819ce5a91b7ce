"""The contents of Markdown, HTML and LaTeX, which names cannot break."""

import base64
import re
from html.parser import HTMLParser

import pytest
from markupsafe import escape

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.report.words import overview
from keras_langevin.experiments.report.writing import escaped, latex, latex_escaped, pictures, write
from tests.experiments.records import COMPARISON, failed, of_seeds, record, results_of

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"{SCRIPT}\"&'|`$\\frac{{%#_^~[x](javascript:alert(1))<img src=x onerror=alert(1)>"
RECORDS = [
    *of_seeds([0.1, 0.8, 0.81], [0.91, 0.92]),
    record("ladam", 2, 0.1, status="diverged", epochs=2),
    failed("adam", 3),
]
VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Parses the elements of a page; fails if they are not nested."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def tags(self):
        return [tag for tag, _ in self.elements]


HOSTILE_COMPARISON = Comparison(model=HOSTILE, dataset=HOSTILE, optimizers=("adam", f"ladam@{HOSTILE}"), epochs=3)


def hostile_records():
    """Returns records with untrusted names in every place that has a name."""
    records = [record("adam", 0, 0.5), record(f"ladam@{HOSTILE}", 0, 0.6), failed("adam", 1)]
    records[0]["provenance"] = {"device": HOSTILE, "versions": {HOSTILE: HOSTILE}, "commit": HOSTILE}
    records[2]["error"] = f"{HOSTILE}\x1b[31m"
    return records


@pytest.fixture(scope="module")
def results():
    return results_of(COMPARISON, RECORDS)


@pytest.fixture(scope="module")
def hostile():
    return results_of(HOSTILE_COMPARISON, hostile_records())


def written(results, folder, title):
    """Returns the page and the Markdown text of a report."""
    write(results, folder, title=title)
    return [(folder / name).read_text("utf-8") for name in ("report.html", "report.md")]


@pytest.fixture(scope="module")
def report(results, tmp_path_factory):
    return written(results, tmp_path_factory.mktemp("report"), "A title")


@pytest.fixture(scope="module")
def page(report):
    return report[0]


@pytest.fixture(scope="module")
def hostile_report(hostile, tmp_path_factory):
    return written(hostile, tmp_path_factory.mktemp("hostile"), HOSTILE)


def shown(page):
    return [attributes for tag, attributes in Page(page).elements if tag == "img"]


def test_the_page_is_one_file_that_asks_for_nothing(page):
    parsed = Page(page)
    assert not {"script", "link", "svg", "iframe", "object", "base", "form"} & set(parsed.tags())
    for tag, attributes in parsed.elements:
        for name, value in attributes.items():
            assert not name.startswith("on") and name != "href", (tag, name)
            assert name != "src" or value.startswith("data:image/svg+xml;base64,"), (tag, value)
    assert "@import" not in page and "url(" not in page and "http" not in page


def test_the_page_is_made_for_telephones_and_both_colour_schemes(page):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "@media (prefers-color-scheme: dark)" in page
    (rule,) = re.findall(r"^img \{.*\}$", page, flags=re.MULTILINE)
    assert "background: #ffffff" in rule  # a figure has dark text
    parsed = Page(page)
    tables = parsed.tags().count("table")
    boxes = sum(tag == "div" and "scroll" in attributes.get("class", "") for tag, attributes in parsed.elements)
    assert tables == boxes == 3


def test_figures_are_in_the_page_and_say_what_they_are(page):
    assert [picture["alt"] for picture in shown(page)] == [
        "Paired differences in test accuracy, with 95% intervals",
        "dense-30 on digits: train loss (cross-entropy) by epoch",
        "dense-30 on digits: validation accuracy (%) by epoch",
    ]
    for picture in shown(page):
        svg = base64.b64decode(picture["src"].partition(",")[2]).decode()
        width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
        assert width < 330 and height > 100  # points: 330 are 440 pixels, and a phone shows four fifths of them
        assert "<script" not in svg and "href" not in re.sub(r'xlink:href="#', "", svg).replace("xmlns:xlink", "")


def test_the_report_begins_with_what_was_found(results, report):
    page, text = report
    found = overview(results)[0]
    assert found.startswith("L-Adam − Adam: +7.33 points")
    assert page.index(f"<p><strong>{escape(found)}</strong></p>") < page.index("<li>")
    assert text.splitlines()[2] == escaped(found)


@pytest.mark.parametrize("which", [0, 1])
def test_table_and_words_are_in_the_report(which, report):
    text = re.sub(r"\\([\\`*_\[\]|~#$!])", r"\1", report[which])
    for part in (
        "A title",
        "57.00 ± 40.71",
        "80.00",
        "10.0 80.0 81.0 error",
        "91.0 92.0 10.0*",
        "1 at chance, 1 error",
        "1 diverged",
        "3 of 4",
        "+7.33",
        "ended with an error: MemoryError: no room",
        "over all 1 difference of this report, as one family",
        "model dense-30; dataset digits",
    ):
        assert part in text, part
    assert "is better than" not in text and "is worse than" not in text


def test_each_of_several_settings_has_its_differences_on_a_scale_of_its_own(results):
    whole, *each = pictures([*results, *results_of(Comparison(model="dense-3"), of_seeds([0.5], []))])
    paired = "paired differences in test accuracy, with 95% intervals"
    assert [picture.caption for picture in whole] == [paired.capitalize()]
    assert [[picture.caption for picture in own if paired in picture.caption] for own in each] == [
        [f"dense-30 on digits: {paired}"],
        [],
    ]


def test_names_cannot_become_elements_of_the_page(hostile_report):
    text, _ = hostile_report
    parsed = Page(text)
    assert "script" not in parsed.tags() and not any(picture["src"] == "x" for picture in shown(text))
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert SCRIPT in "".join(parsed.text)  # shown unchanged
    assert "\x1b" not in text


def test_names_cannot_become_html_or_cells_in_markdown(hostile_report):
    _, text = hostile_report
    assert "<" not in text and "](javascript" not in text.replace("\\](", "")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    columns = {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in tables}
    assert columns == {2, 8, 13}
    links = re.findall(r"(?<!\\)!\[.*?(?<!\\)\]\(([^)]*)\)", text)
    assert links[0] == "figures/differences.png" and len(links) == 3
    assert all(re.fullmatch(r"figures/[A-Za-z0-9.-]+\.png", link) for link in links)


def files(results):
    return [picture.file for own in pictures(results)[1:] for picture in own]


def test_pictures_are_named_by_letters_that_every_file_system_takes(hostile):
    named = results_of(Comparison(model="../x/é-3", dataset="/", epochs=3), []) + hostile
    assert all(re.fullmatch(r"figures/[A-Za-z0-9.-]+", file) for file in files(named))


def test_sections_of_equal_names_have_files_of_their_own():
    results = [*results_of(COMPARISON, []), *results_of(COMPARISON, []), *results_of(Comparison(model="dense-3"), [])]
    assert files(results)[::2] == [
        "figures/1-dense-30-digits-train-loss",
        "figures/2-dense-30-digits-train-loss",
        "figures/3-dense-3-digits-train-loss",
    ]
    assert files(results[:1]) == ["figures/dense-30-digits-train-loss", "figures/dense-30-digits-validation-accuracy"]


def test_latex_escapes_every_special_letter():
    assert latex_escaped(r"\{}~^&%$#_<>|") == (
        r"\textbackslash{}\{\}\textasciitilde{}\textasciicircum{}\&\%\$\#\_\textless{}\textgreater{}\textbar{}"
    )
    assert latex_escaped("1.0 ± 0.5, −2") == r"1.0 $\pm$ 0.5, $-$2"


@pytest.mark.parametrize("which", ["results", "hostile"])
def test_the_latex_table_has_equal_rows_and_balanced_braces(which, request):
    text = latex(request.getfixturevalue(which))
    body = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + 2 and {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {7}
    assert r"\begin{tabular}{llrrrrrr}" in text
    bare = re.sub(r"\\[\\{}]", "", text.partition("\n")[2])
    assert bare.count("{") == bare.count("}")
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0


def test_the_latex_table_says_what_the_others_say(results):
    text = latex(results)
    assert r"L-Adam & 2 of 3 & 64.33 $\pm$ 47.06 & +7.33 &" in text
    assert r"\usepackage{booktabs}" in text and r"\toprule" in text
