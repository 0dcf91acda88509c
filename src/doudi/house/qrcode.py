"""QR codes (GB/T 18284-2000, ISO/IEC 18004) for addresses on papers: byte mode, level M, versions 1 to 10.

Small enough to be read at one sitting, so that an office needs no further package for one square on a report.
"""

from __future__ import annotations

import struct
import zlib

from doudi.engine.errors import DoudiError

Matrix = list[list[bool]]

# version: (data codewords, error-correction codewords per block, blocks) at level M (table 9)
_LAYOUT = {
    1: (16, 10, 1), 2: (28, 16, 1), 3: (44, 26, 1), 4: (64, 18, 2), 5: (86, 24, 2),
    6: (108, 16, 4), 7: (124, 18, 4), 8: (154, 22, 4), 9: (182, 22, 5), 10: (216, 26, 5),
}  # fmt: skip
_ALIGNMENT = {
    1: (), 2: (6, 18), 3: (6, 22), 4: (6, 26), 5: (6, 30),
    6: (6, 34), 7: (6, 22, 38), 8: (6, 24, 42), 9: (6, 26, 46), 10: (6, 28, 50),
}  # fmt: skip
QUIET = 4
"""Modules of white around the code."""

_EXP, _LOG = [0] * 512, [0] * 256
_value = 1
for _power in range(255):
    _EXP[_power] = _EXP[_power + 255] = _value
    _LOG[_value] = _power
    _value = _value << 1 ^ (0x11D if _value & 0x80 else 0)


def matrix(text: str) -> Matrix:
    """The code of a text as rows of modules, dark is True, without the quiet zone; refused above 213 bytes of UTF-8."""
    content = text.encode()
    version = next((v for v, (data, _ec, _blocks) in _LAYOUT.items() if _bits(v, content) <= data * 8), None)
    if version is None:
        raise DoudiError(
            "二维码内容太长（213 字节以内）。",
            "The text is too long for the code (213 bytes).",
            code="code_too_long",
        )
    stream = _interleaved(version, _codewords(version, content))
    best: tuple[int, Matrix] | None = None
    for mask in range(8):
        made, fixed = _frame(version)
        _place(made, fixed, stream, mask)
        _write_format(made, mask)
        cost = _penalty(made)
        if best is None or cost < best[0]:
            best = cost, made
    assert best is not None
    return best[1]


def _bits(version: int, content: bytes) -> int:
    return 4 + (8 if version < 10 else 16) + 8 * len(content)


def _codewords(version: int, content: bytes) -> bytes:
    data = _LAYOUT[version][0]
    bits = f"0100{len(content):0{8 if version < 10 else 16}b}" + "".join(f"{byte:08b}" for byte in content)
    bits += "0" * min(4, data * 8 - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits), 8))
    return words + bytes((0xEC, 0x11) * data)[: data - len(words)]


def _interleaved(version: int, words: bytes) -> str:
    data, ec, count = _LAYOUT[version]
    short, longer = data // count, data % count
    blocks, start = [], 0
    for number in range(count):
        size = short + (number >= count - longer)
        blocks.append(words[start : start + size])
        start += size
    checks = [_remainder(block, ec) for block in blocks]
    out = [block[place] for place in range(short + 1) for block in blocks if place < len(block)]
    out += [check[place] for place in range(ec) for check in checks]
    return "".join(f"{byte:08b}" for byte in out)


def _remainder(block: bytes, ec: int) -> bytes:
    """Reed–Solomon over GF(256), 0x11D."""
    generator = [1]
    for power in range(ec):
        generator = [
            (generator[i] if i < len(generator) else 0) ^ (_times(generator[i - 1], _EXP[power]) if i else 0)
            for i in range(len(generator) + 1)
        ]
    left = list(block) + [0] * ec
    for place in range(len(block)):
        factor = left[place]
        if factor:
            for step, term in enumerate(generator):
                left[place + step] ^= _times(term, factor)
    return bytes(left[len(block) :])


def _times(one: int, other: int) -> int:
    return _EXP[_LOG[one] + _LOG[other]] if one and other else 0


def _frame(version: int) -> tuple[Matrix, Matrix]:
    """Finders, timing, alignment, version, and which modules they and the format take."""
    size = 17 + 4 * version
    made = [[False] * size for _row in range(size)]
    fixed = [[False] * size for _row in range(size)]

    def put(row: int, column: int, dark: bool) -> None:
        if 0 <= row < size and 0 <= column < size:
            made[row][column], fixed[row][column] = dark, True

    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        for row in range(-1, 8):
            for column in range(-1, 8):
                ring = max(abs(row - 3), abs(column - 3))
                put(top + row, left + column, ring in (0, 1, 3))
    for place in range(8, size - 8):
        put(6, place, place % 2 == 0)
        put(place, 6, place % 2 == 0)
    centres = _ALIGNMENT[version]
    corners = {(6, 6), (6, size - 7), (size - 7, 6)}
    for row in centres:
        for column in centres:
            if (row, column) not in corners:
                for down in range(-2, 3):
                    for right in range(-2, 3):
                        put(row + down, column + right, max(abs(down), abs(right)) != 1)
    for place in range(9):
        for row, column in ((8, place), (place, 8)):
            if not fixed[row][column]:
                put(row, column, False)
    for place in range(8):
        put(8, size - 1 - place, False)
        put(size - 1 - place, 8, False)
    put(size - 8, 8, True)
    if version >= 7:
        code = version << 12 | _checked(version, 0x1F25, 12)
        for bit in range(18):
            dark = bool(code >> bit & 1)
            put(bit // 3, size - 11 + bit % 3, dark)
            put(size - 11 + bit % 3, bit // 3, dark)
    return made, fixed


def _checked(value: int, generator: int, bits: int) -> int:
    """The remainder of a BCH code."""
    left = value << bits
    while left.bit_length() > bits:
        left ^= generator << left.bit_length() - bits - 1
    return left


def _write_format(made: Matrix, mask: int) -> None:
    size = len(made)
    code = (mask << 10 | _checked(mask, 0x537, 10)) ^ 0x5412  # level M is 00
    for bit in range(15):
        dark = bool(code >> bit & 1)
        if bit < 8:
            made[bit + (bit > 5)][8] = dark
            made[8][size - 1 - bit] = dark
        else:
            made[8][14 - bit + (bit < 9)] = dark
            made[size - 15 + bit][8] = dark
    made[size - 8][8] = True


def _place(made: Matrix, fixed: Matrix, stream: str, mask: int) -> None:
    size, place, upward = len(made), 0, True
    for right in range(size - 1, 0, -2):
        right -= right <= 6
        for step in range(size):
            row = size - 1 - step if upward else step
            for column in (right, right - 1):
                if not fixed[row][column]:
                    dark = place < len(stream) and stream[place] == "1"
                    made[row][column] = dark ^ _masked(mask, row, column)
                    place += 1
        upward = not upward


def _masked(mask: int, row: int, column: int) -> bool:
    both = row * column
    return (
        (row + column) % 2, row % 2, column % 3, (row + column) % 3, (row // 2 + column // 3) % 2,
        both % 2 + both % 3, (both % 2 + both % 3) % 2, ((row + column) % 2 + both % 3) % 2,
    )[mask] == 0  # fmt: skip


def _penalty(made: Matrix) -> int:
    size, cost = len(made), 0
    lines = ["".join("1" if dark else "0" for dark in row) for row in made]
    lines += ["".join("1" if row[column] else "0" for row in made) for column in range(size)]
    for line in lines:
        run, before = 0, ""
        for module in [*line, ""]:
            if module == before:
                run += 1
                continue
            cost += run - 2 if run >= 5 else 0
            run, before = 1, module
        for look in ("10111010000", "00001011101"):
            start = line.find(look)
            while start >= 0:
                cost += 40
                start = line.find(look, start + 1)
    for row in range(size - 1):
        for column in range(size - 1):
            square = (
                made[row][column],
                made[row][column + 1],
                made[row + 1][column],
                made[row + 1][column + 1],
            )
            cost += 3 * (len(set(square)) == 1)
    dark_share = sum(map(sum, made)) * 100 / size**2
    return cost + int(abs(dark_share - 50) / 5) * 10


def to_svg(text: str) -> str:
    """The code as an SVG drawing with its quiet zone, one unit a module."""
    made = matrix(text)
    size = len(made) + 2 * QUIET
    path = "".join(
        f"M{column + QUIET} {row + QUIET}h1v1h-1z"
        for row, line in enumerate(made)
        for column, dark in enumerate(line)
        if dark
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/><path d="{path}"/></svg>'
    )


def to_png(text: str, *, scale: int = 6) -> bytes:
    """The code as a PNG picture with its quiet zone, ``scale`` pixels a module."""
    made = matrix(text)
    width = (len(made) + 2 * QUIET) * scale
    blank = [False] * (len(made) + 2 * QUIET)
    rows = [blank] * QUIET + [[False] * QUIET + line + [False] * QUIET for line in made] + [blank] * QUIET
    raw = b"".join(
        (b"\x00" + bytes(0 if dark else 255 for dark in line for _pixel in range(scale))) * scale
        for line in rows
    )

    def part(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(raw, 9)) + part(b"IEND", b"")
    )
