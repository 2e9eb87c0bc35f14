"""README and documentation: every block runs as pasted, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from blocks import ROOT, Page, blocks_of

PAGES = [ROOT / "README.md", *sorted((ROOT / "examples").glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
QUICK = [page for page in PAGES if any(block.run and not block.slow for block in blocks_of(page))]
SLOW = [page for page in PAGES if any(block.slow for block in blocks_of(page))]


def run(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    monkeypatch.chdir(folder)
    running = Page(folder)
    for block in blocks_of(page):
        if block.run and (slow or not block.slow):
            running.run(block)


@pytest.mark.parametrize("page", QUICK, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run_as_pasted(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(page, tmp_path, monkeypatch, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=lambda page: str(page.relative_to(ROOT)))
def test_all_blocks_of_a_page_run_as_pasted(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(page, tmp_path, monkeypatch, slow=True)


def test_what_is_not_run_says_why() -> None:
    readme = blocks_of(ROOT / "README.md")
    assert sum(block.language == "python" for block in readme) >= 3 and sum(block.language == "sh" for block in readme) >= 2
    assert [block.code.split()[0] for block in readme if not block.run] == ["make", "pip"]


def anchors(page: Path) -> set[str]:
    """What a heading's link is called."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page}: {link}"
        assert not anchor or anchor in anchors(target), f"{page}: {link}"
