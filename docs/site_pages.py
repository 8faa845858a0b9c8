"""Pages of the site that are not in docs/: the README, recipes with their results, and the reference.

A hook of mkdocs. Links in pages are those that work in the repository; they are rewritten for the site. The reference
has one page for each package, made from its docstrings.
"""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "lexicons/README.md",
    "recipes/*/*.md",
    "recipes/*/*.svg",
    "recipes/*/results/**/*.md",
    "recipes/*/results/**/*.svg",
    "tests/benchmarks/README.md",
)
LINK = re.compile(r"(?P<text>!?\[[^\]\[]*\])\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def outside_pages() -> list[str]:
    """Return the files that become part of the site, as paths in the repository."""
    return sorted(path.relative_to(ROOT).as_posix() for pattern in OUTSIDE for path in ROOT.glob(pattern))


def packages() -> list[str]:
    """Return the packages and modules directly below speechtl, but for those that start with an underscore."""
    found = [
        path.stem for path in (ROOT / "speechtl").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    return sorted(name for name in found if not name.startswith("_"))


def place_on_site(path: str) -> str:
    """Return where the site has a file of the repository."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def place_in_repository(uri: str) -> str:
    """Return where the repository has a page of the site."""
    return "README.md" if uri == "index.md" else uri if (ROOT / uri).is_file() else f"docs/{uri}"


def on_config(config: MkDocsConfig) -> None:
    """List the generated pages in the navigation, where it has a section that is named after them."""
    recipes = [path for path in outside_pages() if path.startswith("recipes/") and path.endswith(".md")]
    generated = {
        "Reference": ["reference/speechtl.md", *(f"reference/{name}.md" for name in packages())],
        "Results": [*recipes, "lexicons/README.md", "tests/benchmarks/README.md"],
    }
    config.nav = [
        {title: generated.get(title, pages) for title, pages in entry.items()} if isinstance(entry, dict) else entry
        for entry in config.nav or []
    ]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages."""
    for path in outside_pages():
        files.append(File.generated(config, place_on_site(path), abs_src_path=str(ROOT / path)))
    for name in packages():
        files.append(File.generated(config, f"reference/{name}.md", content=f"::: speechtl.{name}\n"))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Translate links; what is in the repository but not on the site (a script, say) keeps only its name."""
    here = place_in_repository(page.file.src_uri)

    def translated(match: re.Match[str]) -> str:
        target = match["target"]
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = os.path.normpath(os.path.join(os.path.dirname(here), target))
        if (ROOT / path / "README.md").is_file():
            path += "/README.md"
        if files.get_file_from_path(place_on_site(path)) is None:
            return match["text"][1:-1] if (ROOT / path).exists() else match[0]
        link = os.path.relpath(place_on_site(path), os.path.dirname(page.file.src_uri) or ".")
        return f"{match['text']}({link}{match['anchor'] or ''})"

    return LINK.sub(translated, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """End a sentence before a formula with one colon; docstrings have the two that announce a block in plain text."""
    return re.sub(r" ?::</p>", ":</p>", html)
