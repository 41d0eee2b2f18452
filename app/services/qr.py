"""QR codes, as pictures for pages."""

from __future__ import annotations


def picture(text: str) -> str:
    """Return a QR code of a text, as a data address of an SVG."""
    import segno  # only few pages need it

    return segno.make(text, error="m").svg_data_uri(scale=5, border=4, light="#fff")
