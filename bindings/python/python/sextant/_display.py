"""Tables as notebooks show them."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def table(rows: Iterable[Sequence[Any]], header: Sequence[Any] = (), caption: str = "") -> str:
    """An HTML table; the first cell of each row is its heading. ``None`` is an empty cell."""
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr><th>{_text(row[0])}</th>" + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def confusion(matrix: Sequence[Sequence[float]], names: Sequence[str], caption: str) -> str:
    """A confusion matrix whose cells are the darker, the larger their share of the true grade's rows."""
    rows = []
    for name, counts in zip(names, matrix, strict=True):
        whole = sum(counts) or 1
        cells = "".join(
            f'<td style="text-align:right;background:rgba(31,119,180,{0.75 * count / whole:.2f})">'
            f"{count:g}</td>"
            for count in counts
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return (
        f"<table><caption>{escape(caption)} (rows: true, columns: predicted)</caption>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _text(value: Any) -> str:
    return "" if value is None else escape(f"{value:.4f}" if isinstance(value, float) else str(value))
