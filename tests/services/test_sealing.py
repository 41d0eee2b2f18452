"""Sealed files: read from any place, and nothing that was changed or cut off is read."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app.har.recordings.files import open_files
from app.services import sealing
from app.services.sealing import CHUNK, HEAD_BYTES, SEALED_CHUNK, Key
from tests.sealed import bytes_of

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 17 * CHUNK + 5)


@pytest.fixture
def key() -> Key:
    return sealing.remember(Key.new())


def sealed(path: Path, data: bytes, key: Key | None, pieces: int = 1) -> Path:
    """Write a file in so many pieces."""
    path.unlink(missing_ok=True)
    with sealing.created(path, key) as file:
        for i in range(pieces):
            file.write(data[len(data) * i // pieces : len(data) * (i + 1) // pieces])
    return path


def of_size(n: int) -> bytes:
    return np.random.default_rng(n).bytes(n)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("pieces", [1, 7])
def test_a_file_is_read_as_it_was_written_whole_and_from_any_place(
    tmp_path: Path, key: Key, n: int, pieces: int
) -> None:
    data, path = of_size(n), tmp_path / "a"
    sealed(path, data, key, pieces)
    assert sealing.size(path) == n
    assert sealing.is_sealed(path)
    rng = random.Random(n)
    with sealing.opened(path) as file:
        assert file.read() == data
        for _ in range(30):
            place, length = rng.randrange(n + 1), rng.randrange(3 * CHUNK)
            file.seek(place)
            assert file.read(length) == data[place : place + length]
            assert file.tell() == min(place + length, n)


def test_nothing_of_what_is_written_can_be_found_in_the_file(tmp_path: Path, key: Key) -> None:
    text = b"Ada Lovelace walks. " * 10_000
    stored = sealed(tmp_path / "a", text, key).read_bytes()
    assert b"Lovelace" not in stored
    assert stored != sealed(tmp_path / "b", text, key).read_bytes()  # of the same, nothing tells that it is the same
    assert len(stored) < 1.001 * len(text)


@pytest.mark.parametrize("n", SIZES[1:])
def test_a_change_of_any_bit_is_noticed(tmp_path: Path, key: Key, n: int) -> None:
    stored = sealed(tmp_path / "a", of_size(n), key).read_bytes()
    for place in random.Random(n).sample(range(8, len(stored)), 20):
        changed = bytearray(stored)
        changed[place] ^= 1 << place % 8
        (tmp_path / "b").write_bytes(changed)
        with pytest.raises((sealing.Broken, sealing.KeyGone)), sealing.opened(tmp_path / "b") as file:
            file.read()


@pytest.mark.parametrize("cut", [1, 16, CHUNK + 16, 2 * SEALED_CHUNK, 10**9])
def test_a_file_that_was_cut_off_is_not_even_opened(tmp_path: Path, key: Key, cut: int) -> None:
    stored = sealed(tmp_path / "a", of_size(3 * CHUNK), key).read_bytes()
    (tmp_path / "b").write_bytes(stored[: max(len(stored) - cut, len(sealing.MARK))])
    with pytest.raises(sealing.Broken):
        sealing.opened(tmp_path / "b")


def test_chunks_that_change_places_or_come_from_another_file_are_noticed(tmp_path: Path, key: Key) -> None:
    first, second = (bytearray(sealed(tmp_path / name, of_size(3 * CHUNK), key).read_bytes()) for name in "ab")
    one, two = (slice(HEAD_BYTES + i * SEALED_CHUNK, HEAD_BYTES + (i + 1) * SEALED_CHUNK) for i in range(2))
    swapped, foreign = first.copy(), first.copy()
    swapped[one], swapped[two] = first[two], first[one]
    foreign[one] = second[one]
    for stored in (swapped, foreign):
        (tmp_path / "c").write_bytes(stored)
        with pytest.raises(sealing.Broken), sealing.opened(tmp_path / "c") as file:
            file.read()


def test_a_file_whose_writing_failed_is_no_file(tmp_path: Path, key: Key) -> None:
    def fail() -> None:
        with sealing.created(tmp_path / "a", key) as file:
            file.write(of_size(2 * CHUNK))
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    with pytest.raises(sealing.Broken):
        sealing.opened(tmp_path / "a")


def test_without_its_key_a_file_is_closed_to_everybody(tmp_path: Path, key: Key) -> None:
    path = sealed(tmp_path / "a", b"steps", key)
    sealing.forget(key.name)
    with pytest.raises(sealing.KeyGone):
        sealing.opened(path)
    assert sealing.size(path) == 5  # which the disk's owner sees anyway


def test_a_reader_knows_the_key_of_its_file_alone(tmp_path: Path, key: Key) -> None:
    path, other = sealed(tmp_path / "a", b"steps", key), Key.new()
    sealing.only(other.as_dict())
    with pytest.raises(sealing.KeyGone):
        sealing.opened(path)
    assert sealing.only(other.as_dict()) == other
    assert "secret" not in repr(other)


def test_what_an_earlier_build_stored_plain_is_read_as_it_is(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a", b"steps", None)
    assert path.read_bytes() == b"steps"
    assert not sealing.is_sealed(path)
    assert sealing.size(path) == 5
    with sealing.opened(path) as file:
        assert file.read() == b"steps"


def test_few_bytes_are_sealed_as_a_file_is(key: Key) -> None:
    data = sealing.sealed_bytes(b"steps", key)
    assert b"steps" not in data
    assert sealing.opened_bytes(data) == sealing.opened_bytes(b"steps") == b"steps"


def test_archives_and_packed_files_are_read_from_within_sealed_ones(tmp_path: Path, key: Key) -> None:
    text = b"time,acc_x\n" + b"0.01,9.81\n" * 50_000
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.csv", text)
    for content in (text, gzip.compress(text), archive.getvalue()):
        path = sealed(tmp_path / "a", content, key)
        with open_files(path, "a.csv", opener=sealing.opened) as [member]:
            assert member.size == len(text)
            assert member.read() == text


def test_arrays_are_stored_in_sealed_files_and_read_again(tmp_path: Path, key: Key) -> None:
    values = np.arange(100_000, dtype=np.float32)
    with sealing.created(tmp_path / "nothing", key) as file:
        file.write(np.empty((0, 5, 2), np.float32).data)
    assert bytes_of(tmp_path / "nothing") == b""
    with sealing.created(tmp_path / "a.npz", key) as file:
        np.savez_compressed(file, values=values)
    with sealing.opened(tmp_path / "a.npz") as file, np.load(file, allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["values"], values)
