"""Model cards, which are Markdown, as parts of a page."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it.token import Token

# Cards write scores with three decimals, limits with fewer; windows of 1.024 s are no scores
SHARE = re.compile(r"\b[01]\.\d{3}\b(?! (?:s|Hz)\b)|(?<=asks for )0\.\d+")


def title_and_text(card: str) -> tuple[str, Markup]:
    """Return a card's title and the rest as HTML; shares are percentages, as on all pages."""
    from markdown_it import MarkdownIt

    first, _, rest = card.partition("\n")
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", _table_open)
    markdown.add_render_rule("table_close", _table_close)
    in_percent = SHARE.sub(lambda share: f"{100 * float(share[0]):.1f}\u00a0%", rest)
    return first.removeprefix("# ").strip(), Markup(markdown.render(in_percent))  # noqa: S704  its HTML is escaped


def _table_open(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
    """Let a table scroll by itself; what it is of is said above it."""
    above = [token.content for token in tokens[:index] if token.type == "inline" and token.level == 1]
    number = sum(token.type == "table_open" for token in tokens[: index + 1])
    label = escape(f"Table {number}: {above[-1][:80]}" if above else f"Table {number}")
    region = f'<div class="table-responsive" tabindex="0" role="region" aria-label="{label}">'
    return f'{region}<table class="table table-sm compact">'


def _table_close(
    renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    return "</table></div>\n"
