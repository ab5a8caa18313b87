import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sg_train.errors import MissingLibraryError
from sg_train.reports.labels import Labels
from sg_train.reports.report import write_report
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.evaluation import Score
from sg_train.vectors.word_map import content_words
from sg_train.vectors.word_vectors import WordVectors
from tests.building import a_record
from tests.conftest import Command

SCORES = [
    Score("pairs", "", "spearman", 0.25, 3, 1),
    Score("words", "one & two", "accuracy", None, 0, 9),
]
TRICKY = "</script><script>alert(1)</script>"


@pytest.fixture
def vectors() -> WordVectors:
    generator = np.random.default_rng(4)
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [f"w{a}{b}" for a in letters for b in letters][:500]
    names[7] = TRICKY
    return WordVectors(names, generator.normal(size=(500, 6)).astype(np.float32))


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r"const DATA = (.*);</script>", page)
    return dict(json.loads(text))


def test_the_table_holds_the_neighbours(vectors: WordVectors) -> None:
    write_report(Path("r.html"), [vectors], SCORES, title="t", table_words=50, top=4)
    data = data_of(Path("r.html").read_text())
    assert data["words"][:50] == vectors.words[:50]
    assert len(data["neighbours"]) == 50
    for row in (0, 7, 49):
        expected = vectors.neighbors(vectors.words[row], 4)
        found = [(data["words"][other], c) for other, c in data["neighbours"][row]]
        assert found == [(word, round(cosine, 2)) for word, cosine in expected]
    assert len(data["map"]) == 400
    assert all(0 <= x <= 1 and 0 <= y <= 1 for _, x, y, _ in data["map"])


def test_of_several_runs_it_shows_which_neighbours_they_share(vectors) -> None:
    noise = np.random.default_rng(1).normal(0, 0.4, vectors.matrix.shape)
    matrix = (vectors.matrix + noise)[:400].astype(np.float32)
    other = WordVectors(vectors.words[:400], matrix)
    write_report(Path("r.html"), [vectors, other], SCORES, title="t", top=4)
    page = Path("r.html").read_text()
    data = data_of(page)
    assert data["runs"] == 2
    seen = set()
    for row in (0, 7, 49, 450):
        word = vectors.words[row]
        near = [
            [name for name, _ in run.neighbors(word, 4)] if word in run else []
            for run in (vectors, other)
        ]
        found = [(data["words"][at], count) for at, _, count in data["neighbours"][row]]
        assert found == [(name, sum(name in x for x in near)) for name in near[0]]
        seen |= {count for _, count in found}
    assert seen == {1, 2}
    assert "in one of 2 runs" in " ".join(page.split())


def test_words_cannot_become_markup_and_nothing_is_fetched(vectors) -> None:
    write_report(Path("r.html"), [vectors], SCORES, title="<b>&")
    page = Path("r.html").read_text()
    assert TRICKY not in page
    assert "&lt;b&gt;&amp;" in page
    assert "one &amp; two" in page
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=[\"'](?!#)", page)


def test_of_a_run_it_has_settings_curves_and_figures(
    sg_train: Command, text: Path
) -> None:
    arguments = ("--set", "model.dimension=8", "--set", "training.threads=1")
    assert sg_train("train", "--corpus", text, "--out", "r", *arguments).exit_code == 0
    run = RunDirectory(Path("r"))
    write_report(Path("r.html"), [load_run_vectors(run)], [], title="r", run=run)
    page = Path("r.html").read_text()
    for expected in ("615</b> words of text", "0.00%</b> out of", "model.dimension"):
        assert expected in page
    assert re.search(r'class="total"><td>model.dimension\s*<td>8', page)
    assert page.count('id="curves"') == 1
    assert "Scores" not in page


def test_a_run_without_its_records_still_makes_a_page(
    sg_train: Command, text: Path
) -> None:
    assert sg_train("train", "--corpus", text, "--out", "r").exit_code == 0
    run = RunDirectory(Path("r"))
    run.metrics_file.write_text("")
    a_record().save(run.record_file)  # of a corpus whose words were not counted
    write_report(Path("r.html"), [load_run_vectors(run)], [], title="r", run=run)
    run.metrics_file.unlink()
    write_report(Path("r.html"), [load_run_vectors(run)], [], title="r", run=run)
    assert 'id="curves"' not in Path("r.html").read_text()


def test_the_page_opens_on_content_words_and_knows_the_others(vectors) -> None:
    write_report(Path("r.html"), [vectors], [], title="t", table_words=50)
    data = data_of(Path("r.html").read_text())
    expected = content_words(vectors, 200)
    found = [data["words"][row] for row in data["first"]]
    assert found == [word for word in expected if word in vectors.words[:50]]
    assert 3 < len(found) < 50
    assert data["known"].split("\n") == vectors.words[50:]
    assert data["labels"] == []


def test_labels_stand_for_words_and_groups_colour_the_map(vectors) -> None:
    word = content_words(vectors, 400)[3]
    row = vectors.id(word)
    labels = Labels({word: "<b>shoes"}, {word: "<i>group"})
    write_report(
        Path("r.html"), [vectors], [], title="t", table_words=50, labels=labels
    )
    page = Path("r.html").read_text()
    data = data_of(page)
    assert dict(zip(data["words"], data["labels"], strict=True))[word] == "<b>shoes"
    assert data["labels"].count("") == len(data["words"]) - 1
    assert "<b>shoes" not in page
    assert "&lt;i&gt;group</span>" in page
    assert "other words</span>" in page
    colours = {data["words"][row]: colour for row, _, _, colour in data["map"]}
    assert colours[vectors.words[row]] == "#0072B2"
    assert set(colours.values()) == {"#0072B2", "#888888"}


def test_only_settings_that_differ_are_unfolded(sg_train: Command, text: Path) -> None:
    small = ("--set", "model.dimension=8")
    assert sg_train("train", "--corpus", text, "--out", "r", *small).exit_code == 0
    made = sg_train("report", "r", "-o", "r.html", "--title", "Mine & ours")
    assert made.exit_code == 0
    page = Path("r.html").read_text()
    assert "<h1>Mine &amp; ours</h1>" in page
    shown, folded = page.split("<details>")
    assert re.search(r"<td>model.dimension\s*<td>8", shown)
    assert "sampling.negatives" not in shown
    assert "sampling.negatives" in folded


def test_an_extended_run_makes_a_page(sg_train: Command, text: Path) -> None:
    small = ("--set", "model.dimension=8", "--set", "sampling.subsample=0")
    assert sg_train("train", "--corpus", text, "--out", "r", *small).exit_code == 0
    Path("new.txt").write_text("w1 new\n" * 80)
    assert sg_train("extend", "r", "new.txt", "--out", "s").exit_code == 0
    assert sg_train("report", "s", "-o", "s.html").exit_code == 0
    page = Path("s.html").read_text()
    for expected in ("160</b> words of text", "0.00%</b> out of"):
        assert expected in page


def test_few_words_make_a_page_without_a_map() -> None:
    vectors = WordVectors(["a", "b"], np.eye(2, dtype=np.float32))
    write_report(Path("r.html"), [vectors], [], title="t")
    data = data_of(Path("r.html").read_text())
    assert data["map"] == []
    page = Path("r.html").read_text()
    assert "<canvas" not in page
    assert "getContext" not in page
    assert data["neighbours"] == [[[1, 0.0]], [[0, 0.0]]]


def test_without_jinja_there_is_one_line(vectors, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingLibraryError, match="a report needs jinja2, .*report.'$"):
        write_report(Path("r.html"), [vectors], [], title="t")
    assert not Path("r.html").exists()


@pytest.fixture(params=[(1200, 900), (390, 800)], ids=["desktop", "phone"])
def browser(request) -> Iterator[Any]:
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not (driver and chromium):
        pytest.skip("no chromium with chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    width, height = request.param
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(argument)
    metrics = {"width": width, "height": height, "pixelRatio": 2}
    options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()


def test_the_page_works_in_a_browser(browser: Any, vectors: WordVectors) -> None:
    write_report(Path("r.html"), [vectors], SCORES, title="t", table_words=300)
    browser.get(Path("r.html").absolute().as_uri())
    run = browser.execute_script
    assert browser.get_log("browser") == []
    assert run("return document.documentElement.scrollWidth <= innerWidth")

    shown = "return [...document.querySelectorAll('#neighbours td:first-child')]"
    assert len(run(f"{shown}.map((cell) => cell.textContent)")) == 200
    box = browser.find_element("id", "search")
    box.send_keys("WAB")
    assert run(f"{shown}.map((cell) => cell.textContent)") == ["wab"]
    browser.find_element("css selector", "#neighbours a").click()
    neighbour = vectors.neighbors("wab", 1)[0][0]
    assert box.get_property("value") == neighbour
    box.clear()
    box.send_keys("nothing")
    assert "no such word" in browser.find_element("id", "found").text
    box.clear()
    box.send_keys(vectors.words[400])
    found = browser.find_element("id", "found").text
    assert (
        found
        == f"{vectors.words[400]} has a vector, but its neighbours are not on "
        + ("this page")
    )
    box.clear()
    box.send_keys("wab")
    saved = run(
        "const made = [];"
        "URL.createObjectURL = (blob) => { made.push(blob); return '#'; };"
        "document.getElementById('save').click(); return made[0].text();"
    )
    head, *rows = saved.splitlines()
    assert head == "word\tneighbor\tcosine"
    assert rows == [f"wab\t{word}\t{c:.2f}" for word, c in vectors.neighbors("wab")]

    canvas = browser.find_element("id", "canvas")
    run("arguments[0].scrollIntoView()", canvas)
    few = int(canvas.get_dom_attribute("data-labels"))
    canvas.send_keys("+++++")
    assert float(canvas.get_dom_attribute("data-scale")) > 3
    canvas.send_keys("0")
    assert float(canvas.get_dom_attribute("data-scale")) == 1
    assert int(canvas.get_dom_attribute("data-labels")) == few > 10
    where = run(
        "const b = canvas.getBoundingClientRect(); const [x, y] = place(DATA.map[0]);"
        "const at = {clientX: b.left + x, clientY: b.top + y, bubbles: true};"
        "canvas.dispatchEvent(new PointerEvent('pointermove', at));"
        "return document.getElementById('tip').textContent"
    )
    assert where.startswith(vectors.words[0])
    assert browser.get_log("browser") == []


def test_a_browser_shows_in_how_many_runs_a_neighbour_is_near(
    browser: Any, vectors: WordVectors
) -> None:
    noise = np.random.default_rng(1).normal(0, 3, vectors.matrix.shape)
    others = [
        WordVectors(vectors.words, (vectors.matrix + sign * noise).astype(np.float32))
        for sign in (1, -1)
    ]
    write_report(Path("r.html"), [vectors, *others], [], title="t", table_words=300)
    browser.get(Path("r.html").absolute().as_uri())
    assert browser.get_log("browser") == []
    assert browser.execute_script(
        "return document.documentElement.scrollWidth <= innerWidth"
    )
    pairs = browser.find_elements("css selector", "#neighbours td span")[:200]
    for pair in pairs:
        found = re.fullmatch(r"\S+ -?\d\.\d\d ([123])/3", pair.text)
        assert found
        is_doubtful = "doubtful" in (pair.get_dom_attribute("class") or "")
        assert is_doubtful == (found[1] == "1")
    assert len({pair.get_dom_attribute("class") for pair in pairs}) == 2
