"""Official papers as Word and PDF from one content (公文): headings, paragraphs and tables, Chinese in a Chinese font.

Word goes through python-docx, PDF through typst, whose compiler comes with its package. Both say the same, because both
read the same :class:`Paper`. Where the machine has no Chinese font a PDF is refused: a page of boxes is no paper.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import typst
from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from doudi.engine.errors import DoudiError
from doudi.house import qrcode

_TEMPLATE = Path(__file__).with_name("paper.typ")
_FAMILIES = (
    "Noto Serif CJK SC", "Source Han Serif SC", "FangSong", "FangSong_GB2312", "SimSun", "STSong", "Songti SC",
    "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei",
)  # fmt: skip
"""Chinese fonts that offices have, serif first."""
_RARE = (
    "SimSun-ExtB", "Plangothic P1", "Plangothic P2", "TW-Sung-Ext-B", "HanaMinA", "HanaMinB",
)  # fmt: skip
"""Fonts that hold rare characters of names (生僻字, GB 18030-2022), asked after the others."""


class FontMissing(DoudiError):
    """No Chinese font on this machine."""

    code = "font_missing"


@dataclass(frozen=True)
class Block:
    """One part of a paper: ``heading`` and ``text`` say ``words``; a ``table`` has a header and rows of cells."""

    kind: str
    words: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numbers: tuple[int, ...] = ()
    """Columns that are set to the right."""


@dataclass(frozen=True)
class Paper:
    """A paper: title, line under it, blocks, and the foot with the issuer and the day.

    ``seal``: words at the place of the seal; ``code`` a text (an address) that stands as a QR code beside them with
    ``code_words``; ``watermark`` lies across every page. Each may be empty.
    """

    title: str
    subtitle: str
    blocks: tuple[Block, ...]
    foot: tuple[str, ...]
    seal: str = ""
    code: str = ""
    code_words: tuple[str, ...] = ()
    watermark: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 over the content, whatever the form; what a paper does not have is no part of it."""
        content = asdict(self)
        for name in ("seal", "code", "code_words", "watermark"):
            if not content[name]:
                del content[name]
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def heading(words: str) -> Block:
    return Block("heading", words)


def text(words: str) -> Block:
    return Block("text", words)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]], *, numbers: tuple[int, ...] = ()) -> Block:
    return Block("table", header=header, rows=tuple(rows), numbers=numbers)


def to_word(paper: Paper) -> bytes:
    """The paper as a Word file (.docx), A4."""
    word = Document()
    section = word.sections[0]
    section.page_width, section.page_height, section.orientation = Mm(210), Mm(297), WD_ORIENT.PORTRAIT
    section.left_margin = section.right_margin = Mm(24)
    section.top_margin = section.bottom_margin = Mm(26)
    for name in ("Normal", "Title", "Heading 1"):
        style = word.styles[name]
        style.font.name = "SimSun"
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "SimSun")
    word.styles["Normal"].font.size = Pt(11)
    title = word.add_heading(paper.title, 0)
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    word.add_paragraph(paper.subtitle).alignment = WD_ALIGN_PARAGRAPH.CENTER
    for block in paper.blocks:
        if block.kind == "heading":
            word.add_heading(block.words, 1)
        elif block.kind == "text":
            word.add_paragraph(block.words)
        else:
            _word_table(word, block)
    for line in paper.foot:
        word.add_paragraph(line).alignment = WD_ALIGN_PARAGRAPH.RIGHT
    if paper.seal:
        word.add_paragraph(f"\n{paper.seal}\n").alignment = WD_ALIGN_PARAGRAPH.RIGHT
    if paper.code:
        word.add_picture(io.BytesIO(qrcode.to_png(paper.code)), width=Mm(32))
        for line in paper.code_words:
            word.add_paragraph(line)
    _word_margins(section, paper)
    out = io.BytesIO()
    word.save(out)
    return out.getvalue()


def _word_margins(section: object, paper: Paper) -> None:
    """The watermark's words at the head of every page, its number at the foot."""
    if paper.watermark:
        head = section.header.paragraphs[0]  # type: ignore[attr-defined]
        head.alignment = WD_ALIGN_PARAGRAPH.CENTER
        run = head.add_run(paper.watermark)
        run.font.size, run.font.color.rgb = Pt(9), RGBColor(0xA0, 0xA0, 0xA0)
    foot = section.footer.paragraphs[0]  # type: ignore[attr-defined]
    foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for kind in ("begin", "PAGE", "end"):
        run = foot.add_run()
        if kind == "PAGE":
            code = OxmlElement("w:instrText")
            code.text = "PAGE"
        else:
            code = OxmlElement("w:fldChar")
            code.set(qn("w:fldCharType"), kind)
        run._r.append(code)


def _word_table(word: object, block: Block) -> None:
    made = word.add_table(rows=1 + len(block.rows), cols=len(block.header))  # type: ignore[attr-defined]
    made.style = "Table Grid"
    for row, cells in enumerate((block.header, *block.rows)):
        for column, words in enumerate(cells):
            cell = made.cell(row, column)
            cell.text = words
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = Pt(0)
            for run in paragraph.runs:
                run.font.size, run.font.bold = Pt(9), row == 0
            if row and column in block.numbers:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def to_pdf(paper: Paper) -> bytes:
    """The paper as PDF, A4, fonts embedded; refused where no Chinese font is found."""
    drawn = qrcode.to_svg(paper.code) if paper.code else ""
    fonts = [chinese_font(), *(name for name in (*_FAMILIES, *_RARE) if name in _here())]
    content = json.dumps({**asdict(paper), "font": fonts, "drawn": drawn}, ensure_ascii=False)
    made = typst.compile(
        _TEMPLATE.read_bytes(),
        format="pdf",
        font_paths=typst.Fonts(font_paths=[Path(folder) for folder in _font_folders()]),
        sys_inputs={"paper": content},
    )
    assert isinstance(made, bytes)
    return made


def _font_folders() -> list[str]:
    """A folder of fonts that the deployer names (``DOUDI_FONTS``), besides those of the system."""
    folder = os.environ.get("DOUDI_FONTS", "").strip()
    return [folder] if folder else []


@lru_cache(maxsize=2)
def _families(folders: tuple[str, ...]) -> frozenset[str]:
    return frozenset(typst.Fonts(font_paths=[Path(folder) for folder in folders]).families())


def _here() -> frozenset[str]:
    return _families(tuple(_font_folders()))


def chinese_font() -> str:
    """The Chinese font that papers are set in, or :class:`FontMissing`."""
    there = _here()
    for family in _FAMILIES:
        if family in there:
            return family
    raise FontMissing(
        "这台电脑没有中文字体，生成 PDF 会变成方框。请安装 Noto Serif CJK（Debian：apt-get install fonts-noto-cjk），"
        "或把字体文件放进一个文件夹，用 DOUDI_FONTS 指明；也可以先下载 Word。",
        "No Chinese font on this machine: install Noto Serif CJK (Debian: apt-get install fonts-noto-cjk) or name a "
        "folder of fonts in DOUDI_FONTS. The Word file does not need one.",
    )
