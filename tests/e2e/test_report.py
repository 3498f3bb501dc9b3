"""Reports and plots with their real charts, as a real browser shows them: light, dark, a phone, and paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ftctl.run.directory import RunDir
from tests.chromium import Page, browser, chromium
from tests.conftest import Cli, TrainedRun, engine_python
from tests.reported import evaluated, run_in, served, trained

pytestmark = pytest.mark.engine
SVG = "{http://www.w3.org/2000/svg}"

# The least contrast of each text with what is behind it (WCAG 2.2, 1.4.3), and of each drawn line.
CONTRAST = """(() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = one => { for (let at = one; at; at = at.parentElement) {
    const paint = rgb(getComputedStyle(at).backgroundColor);
    if (paint.length === 3 || paint[3] > 0) return paint; } return [255, 255, 255]; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05); };
  const texts = [...document.querySelectorAll('main *')].filter(one =>
    [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()) && one.getClientRects().length);
  const words = texts.map(one => [ratio(rgb(getComputedStyle(one)[one.closest('svg') ? 'fill' : 'color']),
    behind(one)), one.textContent.slice(0, 40)]);
  const lines = [...document.querySelectorAll('svg path')].map(one => getComputedStyle(one))
    .filter(style => style.stroke !== 'none' && Number(style.strokeWidth.replace('px', '')) >= 1.5
      && Number(style.strokeOpacity) === 1)
    .map(style => ratio(rgb(style.stroke), behind(document.body)));
  return {words: words.length, lines: lines.length, worst: words.sort((a, b) => a[0] - b[0])[0],
    faintest: Math.min(...lines)};
})()"""


@pytest.fixture(scope="module")
def judge(session_ftctl: Cli, engine_turn: None) -> Path:
    """The interpreter of the judge's environment, installed if it is missing."""
    return engine_python(session_ftctl, "judge")


@pytest.fixture(scope="module")
def run(session_ftctl: Cli) -> RunDir:
    """A run by its records: resumed, served, evaluated beside its base, its gate missed."""
    run = run_in(session_ftctl.cwd / "runs", name="report-客服")
    trained(run, 200, resumed=True)
    served(run)
    evaluated(run)
    return run


@pytest.fixture(scope="module")
def page(session_ftctl: Cli, run: RunDir, judge: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's report; beside it the Markdown."""
    folder = tmp_path_factory.mktemp("report")
    session_ftctl("report", run.path, "--output", folder, code=0)
    return folder / "report.html"


@pytest.fixture(scope="module")
def seen() -> Iterator[Page]:
    """A page of a real browser; skips where this machine has none."""
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed (any of its packages will do, or CHROMIUM names one)")
    with browser(program) as page:
        yield page


def test_charts_are_in_the_page_and_beside_the_markdown(page: Path) -> None:
    text = page.read_text()
    assert text.count("<svg") == 6
    assert "http" not in re.sub(r"http-equiv", "", text)  # not even the name of a namespace
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    markdown = page.with_suffix(".md").read_text()
    for name in re.findall(r"!\[.*?\]\((.*?)\)", markdown):
        ElementTree.parse(page.parent / name)
    assert markdown.count("](report-charts/") == 6


def test_a_phone_scrolls_tables_and_not_the_page(page: Path, seen: Page) -> None:
    seen.look(page, 375, 800)
    assert seen.value("document.documentElement.scrollWidth") <= seen.value("innerWidth") == 375
    out = "[...document.querySelectorAll('main *')].filter(one => !one.closest('.scroll, pre, svg') && "
    out += "one.getBoundingClientRect().right > innerWidth + 0.5).map(one => one.className)"
    assert seen.value(out) == []
    assert seen.value(
        "[...document.querySelectorAll('.scroll')].some(one => one.scrollWidth > one.clientWidth)"
    )
    smallest = "Math.min(...[...document.querySelectorAll('svg text')].map(one => "
    smallest += "parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a))"
    assert seen.value(smallest) >= 8  # pixels


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out_and_nothing_is_fetched(page: Path, seen: Page, scheme: str) -> None:
    seen.look(page, 1280, scheme=scheme)
    assert seen.requests == [page.as_uri()]
    seen.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = seen.value(CONTRAST)
    assert found["words"] > 100
    assert found["worst"][0] >= 4.5, found["worst"]
    assert found["lines"] >= 6
    assert found["faintest"] >= 3
    paper = seen.value("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_data_of_models_runs_nothing_in_a_browser(page: Path, seen: Page) -> None:
    seen.look(page, 1280)
    assert (
        seen.value("document.scripts.length + document.querySelectorAll('b:not(figcaption *)').length") == 0
    )
    assert "<script>alert(1)</script> </pre>" in seen.value("document.body.innerText")


def test_paper_has_every_part_and_no_row_is_cut(page: Path, seen: Page, tmp_path: Path) -> None:
    seen.look(page, 688, scheme="dark")  # as wide as what A4 leaves between its margins
    seen.paper(tmp_path / "report.pdf")
    sheets = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes()))
    assert 3 <= sheets <= 12
    seen.send("Emulation.setEmulatedMedia", media="print")
    assert seen.value("getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
    )
    assert seen.value("document.documentElement.scrollWidth") <= 688
    whole = "[...document.querySelectorAll('tr, figure, .tile')].every(one => "
    assert seen.value(whole + "getComputedStyle(one).breakInside === 'avoid')")
    # What is folded on the screen is unfolded on paper: the hashes' table has a height.
    assert seen.value("document.querySelector('#origin table').getBoundingClientRect().height") > 20
    seen.send("Emulation.setEmulatedMedia", media="")


def test_a_real_training_is_told(trained_run: TrainedRun, judge: Path, tmp_path: Path) -> None:
    target = tmp_path / "real.md"
    trained_run.cli("report", trained_run.directory, "-o", target, code=0)
    text = target.read_text()
    assert "300 steps" in text
    assert "real-charts/loss.svg" in text
    assert "real-charts/learning&#95;rate.svg" in text or "real-charts/learning_rate.svg" in text
    assert "model.safetensors" in text
    assert not list(trained_run.directory.glob("report*"))


def test_curves_are_drawn_in_a_terminal_without_controls(
    run: RunDir, judge: Path, session_ftctl: Cli
) -> None:
    narrow = {"COLUMNS": "90"}
    answer = session_ftctl(
        "plot", run.path, "-m", "loss", "-m", "eval_loss", "--smooth", "5", env=narrow, code=0
    )
    lines = answer.out.splitlines()
    assert lines[0].strip() == "training loss, evaluation loss, mean of 5 points"
    assert lines[-1].strip() == "step"
    assert "report-客服, evaluation loss" in answer.out
    assert lines[-2].split() == ["1", "51", "100", "150", "200"]
    assert "\x1b" not in answer.out
    assert max(map(len, lines)) <= 90


def test_a_picture_keeps_text_as_text_and_says_what_no_font_has(
    run: RunDir, judge: Path, session_ftctl: Cli, tmp_path: Path
) -> None:
    svg, png = tmp_path / "curves.svg", tmp_path / "curves.png"
    session_ftctl("plot", run.path, "--by", "time", "--output", svg.name, cwd=tmp_path, code=0)
    texts = [text.text for text in ElementTree.parse(svg).iter(f"{SVG}text")]
    assert "training loss" in texts
    assert "training time" in texts
    assert "2:00" in texts
    other = run_in(session_ftctl.cwd / "runs", name="\U0010fffd客")
    trained(other, 20)
    answer = session_ftctl("plot", run.path, other.path, "--output", png, code=0)
    assert "no installed font has" in answer.err
    assert "\U0010fffd" in answer.err
    assert png.read_bytes().startswith(b"\x89PNG")
    session_ftctl("plot", run.path, other.path, "--output", svg, code=0)
    assert any("客" in (text.text or "") for text in ElementTree.parse(svg).iter(f"{SVG}text"))
    assert sorted(tmp_path.iterdir()) == [png, svg]
