"""How numbers are written, on pages and in what is drawn on them."""

from __future__ import annotations

ABSENT = "–"
ROUNDING = 1e-8  # what arithmetic with 16 digits may leave between two solutions
FEW = 10  # of fewer, a percentage says nothing


def duration(seconds: float | None) -> str:
    """Write a length of time as people say it: 4.2 s, 42 s, 4 min 05 s, 1 h 02 min."""
    if seconds is None:
        return ABSENT
    total = round(seconds)
    if total < 60:
        return f"{seconds:.1f} s" if 0 < seconds < 9.95 else f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    minutes = round(total / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def stopwatch(seconds: float, digits: int = 1) -> str:
    """Write a time since a start as a stopwatch does: 0:01:03, with decimals only where they are not zero."""
    scale = 10**digits
    whole, part = divmod(max(0, round(seconds * scale)), scale)
    text = f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{part:0{digits}d}" if part else text


def percent(value: float | None, digits: int = 1) -> str:
    """Write a fraction as a percentage: 0.953 is 95.3 %."""
    return ABSENT if value is None else f"{100 * value:.{digits}f} %"


def share(part: int, whole: int, digits: int = 0) -> str:
    """Write a part of a whole: 12 %, but 1 of 2 where there are few; 100 % only of all, and 0 % only of nothing."""
    if whole < FEW:
        return f"{part} of {whole}"
    value, least = part / whole, 0.5 / 10 ** (digits + 2)
    if part in (0, whole) or least <= value < 1 - least:
        return percent(value, digits)
    return percent(min(max(value, 0.001), 0.999))


def thousands(value: float | None) -> str:
    """Write a count with commas: 20,750."""
    return ABSENT if value is None else f"{value:,.0f}"


def counted(value: int, one: str, several: str = "") -> str:
    """Write how many there are: 1 recording, 1,945 recordings, 2 activities."""
    return f"{value:,} {one if value == 1 else several or f'{one}s'}"


def beyond_rounding(difference: float) -> str:
    """Write a relative difference between two solutions of the same equations: 3e-13 is rounding, and no more."""
    if not difference:
        return "no difference"
    small = difference <= ROUNDING
    return f"no difference beyond rounding ({difference:.0e})" if small else f"a difference of {difference:.1e}"


def megabytes(n_bytes: float) -> str:
    """Write a size: 0.3 MB, 12 MB, 5.0 GB."""
    size = n_bytes / 2**20
    if size >= 1000:
        return f"{size / 1024:,.1f} GB"
    return f"{size:.0f} MB" if size >= 9.95 else f"{size:.1f} MB"


def capitalise(text: str) -> str:
    """Write a sentence's first letter large and leave the rest as it is: "SisFall's …" stays so."""
    return text[:1].upper() + text[1:]


def sensor_name(modality: str) -> str:
    """Write a modality in words: ``watch.heart_rate`` is watch heart rate."""
    return modality.replace(".", " ").replace("_", " ")
