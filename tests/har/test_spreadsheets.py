"""Numbers and letters as spreadsheets and other programs write them."""

from __future__ import annotations

import numpy as np

from app.har.recordings.files import in_memory
from app.har.recordings.layout import sniff
from app.har.recordings.upload import read_members
from app.har.signals.types import Recording

N = 400
TIME = np.arange(N) / 50
ACC = np.column_stack([np.sin(9 * TIME), np.cos(9 * TIME), 9.81 + np.sin(18 * TIME)])
GYRO = np.column_stack([np.sin(9 * TIME), 0.5 * np.cos(9 * TIME), 0.3 * np.sin(4 * TIME)])
HEADER = "time_s;acc_x;acc_y;acc_z;gyro_x;gyro_y;gyro_z"


def read(text: str, encoding: str = "utf-8") -> Recording:
    (recording,) = read_members([in_memory("walk.csv", text.encode(encoding))], "walk.csv")
    return recording


def german(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def german_rows(acc_digits: int) -> str:
    lines = [
        ";".join([german(t, 2), *(german(1000 * a, acc_digits) for a in acc), *(german(g, 4) for g in rotation)])
        for t, acc, rotation in zip(TIME, ACC / 9.80665, GYRO, strict=True)
    ]
    return "\n".join([HEADER, *lines])


def test_dots_between_thousands_are_no_decimal_points() -> None:
    for digits in (0, 2):  # 1.003 and 1.003,27
        recording = read(german_rows(digits))
        np.testing.assert_allclose(recording.streams[0].values, 1000 * ACC / 9.80665, atol=0.51)
        np.testing.assert_allclose(recording.streams[1].values, GYRO, atol=1e-4)
        assert "thousands set apart" in [problem.kind for problem in recording.problems]


def test_a_dot_that_is_a_decimal_point_stays_one() -> None:
    layout = sniff(b"t;a;b\n0.020;1,5;2\n1.040;1,6;2\n1.060;1,7;2\n", "a.csv")
    assert (layout.decimal_comma, layout.thousands) == (True, False)
    layout = sniff(b"t;a;b\n1.020;1.005;2\n1.040;1.006;2\n1.060;1.007;2\n", "a.csv")
    assert (layout.decimal_comma, layout.thousands) == (False, False)


def test_decimal_commas_that_begin_late_are_read() -> None:
    turn = np.arange(N)[:, None] % [2, 3, 5]  # whole numbers, before those with a comma
    late = np.where((np.arange(N) >= 300)[:, None], GYRO, turn)
    lines = [
        ";".join(
            [str(round(1000 * t)), *(str(round(100 * a)) for a in acc), *(f"{g:g}".replace(".", ",") for g in own)]
        )
        for t, acc, own in zip(TIME, ACC, late, strict=True)
    ]
    recording = read("\n".join([HEADER, *lines]))
    np.testing.assert_allclose(recording.streams[1].values, late, atol=1e-4)
    assert len(recording.streams[1].time_s) == N


def test_latin_1_that_begins_after_the_head_keeps_its_labels() -> None:
    rows = 30_000  # of about 50 bytes; the head is a MiB
    cells = [",".join(f"{value:.6f}" for value in (*a, *g)) for a, g in zip(ACC, GYRO, strict=True)]
    lines = [f"{i / 50:.2f},{cells[i % N]},{'Gehen' if i < rows - 500 else 'Laufen über'}" for i in range(rows)]
    recording = read("\n".join([HEADER.replace(";", ",") + ",activity", *lines]), "latin-1")
    labels = recording.streams[0].labels
    assert labels is not None
    assert recording.activities == ("Gehen", "Laufen über")
    assert np.bincount(labels).tolist() == [rows - 500, 500]
