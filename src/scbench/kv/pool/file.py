"""The file of one segment: a JSON header, then raw tensors, each under its SHA-256. Nothing in it
is ever executed.

    48 bytes      magic, length of the header, SHA-256 of the header
    header        JSON in UTF-8, padded with spaces: a multiple of 4,096 bytes with the 48 before
    sections      token ids, K and V of every layer, what was observed; each padded with zeros to
                  a multiple of 64 bytes

Every byte of the file is under one of the checksums, so any flipped bit is found. They guard
against accidents, not against someone who can write to the folder: whoever can, can also write a
file with checksums that agree.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scbench.errors import BadRecord
from scbench.kv.pool import chain
from scbench.kv.pool.segment import OBSERVED_TENSORS, Ending, Segment
from scbench.kv.shape import CacheShape, LayerKind, LayerShape
from scbench.kv.snapshot import Observed
from scbench.reading import read_json
from scbench.system import OPEN_FLAGS, read_at
from scbench.tensors import Tensor, torch

FORMAT = 2
MAGIC = b"scbKV\x00\r\n"
PREAMBLE = struct.Struct("<8sQ32s")
PAGE, ALIGN = 4096, 64
MOST_HEADER_BYTES = 1 << 28
THREADS, THREADS_FROM_BYTES = 4, 1 << 20  # hashing and reading go on without the interpreter's lock
DTYPES = ("float32", "float16", "bfloat16", "float64", "int32")  # of torch
IDS, K, V = "ids", "k", "v"


def dtype_of(name: str) -> torch.dtype:
    """One of `DTYPES` as torch has it."""
    found: torch.dtype = getattr(torch, name)
    return found


class CacheWarning(UserWarning):
    """A stored cache could not be kept or used; the run goes on without it."""


class BadFile(Exception):
    """A file is not what its name says."""


class Section(NamedTuple):
    """A tensor of the file: which one (`layer` -1 for token ids), what it is, and the SHA-256 of
    its bytes and padding in hex.
    """

    kind: str
    layer: int
    dtype: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def used_bytes(self) -> int:
        return math.prod(self.shape) * dtype_of(self.dtype).itemsize

    @property
    def room_bytes(self) -> int:
        return -(-self.used_bytes // ALIGN) * ALIGN


@dataclass(frozen=True, slots=True)
class Header:
    """All of a file but its tensors."""

    made_by: str
    start: int
    before: bytes
    ids: tuple[int, ...]
    links: tuple[bytes, ...]
    end: bytes
    block_tokens: int
    carries: frozenset[str] | None
    sections: tuple[Section, ...]
    first_byte: int  # of the sections
    said: dict[str, Any]

    @property
    def stop(self) -> int:
        return self.start + len(self.ids)

    @property
    def file_bytes(self) -> int:
        return self.first_byte + sum(section.room_bytes for section in self.sections)


def write(fd: int, segment: Segment, made_by: str) -> int:
    """Write a segment to an empty file; its bytes. Tensors of other devices pass through host
    memory one at a time.
    """
    tensors = list(_tensors(segment))
    blank = _header_bytes(
        segment, made_by, [(kind, layer, x, "0" * 64) for kind, layer, x in tensors]
    )
    os.lseek(fd, len(blank) + PREAMBLE.size, os.SEEK_SET)
    done = []
    for kind, layer, x in tensors:
        host = x.detach().contiguous().cpu()
        raw = _raw(host)
        pad = bytes(-len(raw) % ALIGN)
        seal = hashlib.sha256(raw)
        seal.update(pad)
        _write_all(fd, raw)
        _write_all(fd, memoryview(pad))
        done.append((kind, layer, x, seal.hexdigest()))
    size = os.lseek(fd, 0, os.SEEK_CUR)
    header = _header_bytes(segment, made_by, done)
    assert len(header) == len(blank), "a checksum changed the length of a header"
    os.lseek(fd, 0, os.SEEK_SET)
    _write_all(
        fd, memoryview(PREAMBLE.pack(MAGIC, len(header), hashlib.sha256(header).digest()) + header)
    )
    return size


def size_of(segment: Segment, made_by: str) -> int:
    """Bytes of the file that `write` makes of a segment."""
    tensors = list(_tensors(segment))
    header = _header_bytes(
        segment, made_by, [(kind, layer, x, "0" * 64) for kind, layer, x in tensors]
    )
    rooms = (-(-x.numel() * x.element_size() // ALIGN) * ALIGN for _, _, x in tensors)
    return PREAMBLE.size + len(header) + sum(rooms)


def read_header(fd: int, name: str, made_by: str) -> Header:
    """The header and the token ids of the file `name`. Raises BadFile (or OSError) if anything of
    them is not as it must be.
    """
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        raise BadFile("it is no regular file")
    magic, length, seal = PREAMBLE.unpack(_read_all(fd, PREAMBLE.size, 0))
    if magic != MAGIC:
        raise BadFile("it does not begin as a stored cache does")
    if not 0 < length <= min(MOST_HEADER_BYTES, info.st_size - PREAMBLE.size):
        raise BadFile("it is cut short")
    raw = _read_all(fd, length, PREAMBLE.size)
    if hashlib.sha256(raw).digest() != seal:
        raise BadFile("its header is damaged")
    try:
        header = _parsed(fd, read_json(raw, "its header"), PREAMBLE.size + length, made_by)
    except (ValueError, KeyError, TypeError, OverflowError, BadRecord) as err:
        raise BadFile(f"its header makes no sense ({type(err).__name__}: {err})") from err
    if header.file_bytes != info.st_size:
        raise BadFile("it is cut short, or too long")
    if f"{header.end.hex()[:40]}-{header.start}" != name:
        raise BadFile("it holds other tokens than its name says")
    return header


def read(fd: int, name: str, made_by: str, device: str) -> Segment:
    """The segment in the file `name`. Raises BadFile (or OSError) if one bit of it is not as it was
    written.
    """
    header = read_header(fd, name, made_by)
    starts, at = [], header.first_byte
    for section in header.sections:
        starts.append(at)
        at += section.room_bytes
    jobs = list(zip(header.sections, starts, strict=True))[1:]  # the ids have been read
    if header.file_bytes < THREADS_FROM_BYTES:
        loaded = [_tensor(fd, section, at).to(device) for section, at in jobs]
    else:
        with ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="stored") as pool:
            loaded = list(pool.map(lambda job: _tensor(fd, *job).to(device), jobs))
    tensors = {
        (section.kind, section.layer): x for (section, _), x in zip(jobs, loaded, strict=True)
    }
    try:
        return _segment(header, tensors)
    except (ValueError, KeyError, TypeError) as err:
        raise BadFile(f"its header makes no sense ({type(err).__name__}: {err})") from err


def _tensors(segment: Segment) -> Iterator[tuple[str, int, Tensor]]:
    yield IDS, -1, torch.from_numpy(np.asarray(segment.ids, dtype="<u4").view("<i4"))
    for layer, (k_HSD, v_HSD) in segment.layers.items():
        yield K, layer, k_HSD
        yield V, layer, v_HSD
    for (layer, field), x in (segment.ending.tensors() if segment.ending else {}).items():
        yield field, layer, x


def _header_bytes(
    segment: Segment, made_by: str, tensors: Iterable[tuple[str, int, Tensor, str]]
) -> bytes:
    ending = segment.ending
    said = {
        "format": FORMAT,
        "made_by": made_by,
        "start": segment.start,
        "before": segment.before.hex(),
        "block_tokens": segment.block_tokens,
        "shape": asdict(segment.shape),
        "scales": {str(layer): scale for layer, scale in segment.scales.items()},
        "read_by": segment.read_by,
        "carries": None if ending is None else sorted(ending.carries),
        "missing": {} if ending is None else ending.missing,
        "query_rows": {}
        if ending is None
        else {str(layer): seen.query_rows for layer, seen in ending.observed.items()},
        "sections": [
            (kind, layer, str(x.dtype).removeprefix("torch."), tuple(x.shape), seal)
            for kind, layer, x, seal in tensors
        ],
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    return text + b" " * (-(len(text) + PREAMBLE.size) % PAGE)


def _parsed(fd: int, said: dict[str, Any], first_byte: int, made_by: str) -> Header:
    if said["format"] != FORMAT or said["made_by"] != made_by:
        raise ValueError("it was made by another model, method or version")
    sections = tuple(
        Section(str(kind), int(layer), str(dtype), tuple(int(n) for n in shape), str(seal))
        for kind, layer, dtype, shape, seal in said["sections"]
    )
    if sections[0].kind != IDS or any(
        min((0, *section.shape)) < 0 or section.dtype not in DTYPES for section in sections
    ):
        raise ValueError("its sections are not those of a stored cache")
    if first_byte + sections[0].room_bytes > os.fstat(fd).st_size:
        raise ValueError("its token ids are cut short")
    ids = tuple(_tensor(fd, sections[0], first_byte).numpy().view("<u4").tolist())
    before, block_tokens = bytes.fromhex(said["before"]), int(said["block_tokens"])
    found = tuple(chain.links(ids, block_tokens, before))
    tail = ids[len(found) * block_tokens :]
    return Header(
        made_by=made_by,
        start=int(said["start"]),
        before=before,
        ids=ids,
        links=found,
        end=chain.end_mark(found[-1] if found else before, tail),
        block_tokens=block_tokens,
        carries=None if said["carries"] is None else frozenset(said["carries"]),
        sections=sections,
        first_byte=first_byte,
        said=said,
    )


def _segment(header: Header, tensors: dict[tuple[str, int], Tensor]) -> Segment:
    said = header.said
    shape = CacheShape(
        layers=tuple(
            LayerShape(**{**layer, "kind": LayerKind(layer["kind"])})
            for layer in said["shape"]["layers"]
        ),
        model_digest=said["shape"]["model_digest"],
    )
    layers = {layer: (tensors[K, layer], tensors[V, layer]) for kind, layer in tensors if kind == K}
    if not layers.keys() <= set(shape.attention_layers):
        raise ValueError("its K and V are of layers that its model has not")
    for at, (k_HSD, v_HSD) in layers.items():
        own = shape.layers[at]
        found = (tuple(k_HSD.shape), tuple(v_HSD.shape))
        slots = (own.kv_heads, len(header.ids))
        if found != ((*slots, own.key_dim), (*slots, own.value_dim)):
            raise ValueError("its K and V have other shapes than its model")
    ending = None
    if header.carries is not None:
        observed = {
            int(layer): Observed(query_rows=int(rows)) for layer, rows in said["query_rows"].items()
        }
        for (kind, layer), x in tensors.items():
            if kind in OBSERVED_TENSORS:
                setattr(observed[layer], kind, x)
        ending = Ending(header.carries, observed, dict(said["missing"]))
    return Segment(
        start=header.start,
        ids=header.ids,
        before=header.before,
        links=header.links,
        end=header.end,
        layers=layers,
        shape=shape,
        scales={int(layer): float(scale) for layer, scale in said["scales"].items()},
        read_by=str(said["read_by"]),
        block_tokens=header.block_tokens,
        ending=ending,
    )


def _tensor(fd: int, section: Section, at: int) -> Tensor:
    """One section, its checksum verified."""
    x = torch.empty(section.shape, dtype=dtype_of(section.dtype))
    raw = _raw(x)
    _read_into(fd, raw, at)
    seal = hashlib.sha256(raw)
    seal.update(_read_all(fd, section.room_bytes - section.used_bytes, at + section.used_bytes))
    if seal.hexdigest() != section.sha256:
        raise BadFile(f"its section {section.kind} of layer {section.layer} is damaged")
    return x


def _raw(x: Tensor) -> memoryview:
    """The bytes of a contiguous host tensor; shares its memory."""
    array: Any = x.reshape(-1).view(torch.uint8).numpy() if x.numel() else np.empty(0, np.uint8)
    return memoryview(array)


def _read_all(fd: int, count: int, at: int) -> bytes:
    room = bytearray(count)
    _read_into(fd, memoryview(room), at)
    return bytes(room)


def _read_into(fd: int, room: memoryview, at: int) -> None:
    done = 0
    while done < len(room):
        got = read_at(fd, room[done:], at + done)
        if not got:
            raise BadFile("it is cut short")
        done += got


def _write_all(fd: int, raw: memoryview) -> None:
    done = 0
    while done < len(raw):
        done += os.write(fd, raw[done:])


def open_to_read(path: Path) -> int:
    """A descriptor of a file that is no link; a pipe of that name makes nobody wait. Raises
    OSError.
    """
    return os.open(path, os.O_RDONLY | OPEN_FLAGS | getattr(os, "O_NONBLOCK", 0))
