"""How a Chinese name is typed without its characters: full pinyin and initials (拼音、首字母).

In comes a name; out come the spellings a clerk may type, every reading of a surname that has several (单 is shan or
dan, 曾 zeng or ceng). No tones; ü is written v, u and yu, as input methods do.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice, product

MOST_SPELLINGS = 6
"""More readings of one name than this are not kept; the likeliest come first."""

_READINGS = (
    "单shan/dan 曾zeng/ceng 仇qiu/chou 解xie/jie 查zha/cha 朴piao/pu 区ou/qu 盖ge/gai 尉wei/yu 乐yue/le 翟zhai/di "
    "缪miao/mou 秘bi/mi 召shao/zhao 覃qin/tan 员yun/yuan 种chong/zhong 重chong/zhong 柏bai/bo 折she/zhe 黑he/hei "
    "冼xian/shen 洗xian/xi 谌chen/shen 隗wei/kui 宓mi/fu 车che/ju 晟sheng/cheng 郇xun/huan 句gou/ju 祭zhai/ji "
    "牟mou/mu 强qiang/jiang 那na/nuo 能nai/neng 哈ha 撒sa 长chang/zhang 行xing/hang 朝chao/zhao 茜qian/xi 兴xing "
    "万wan/mo 俟qi/si 澹tan/dan 乜nie/mie 逄pang/feng 葛ge 令ling 尹yin 阿a/e 都du/dou 藏zang/cang 调tiao/diao "
    "率shuai/lv 臧zang 幺yao 薄bo/bao 佴nai/er 任ren 燕yan 闫yan 繁po/fan 贾jia/gu 纪ji 华hua 沈shen 蔚wei/yu"
)
"""Characters of names that are read in more than one way, the reading as a surname first (现代汉语词典)."""


def _table() -> dict[str, tuple[str, ...]]:
    return {entry[0]: tuple(entry[1:].split("/")) for entry in _READINGS.split()}


_SEVERAL = _table()


@lru_cache(maxsize=20_000)
def _readings(character: str) -> tuple[str, ...]:
    known = _SEVERAL.get(character)
    if known is None:
        # half a second of tables, which most commands never ask for
        from pypinyin import Style, lazy_pinyin

        spelt = lazy_pinyin(character, style=Style.NORMAL, errors="ignore")
        known = (spelt[0].lower(),) if spelt else ((character.lower(),) if character.isalnum() else ())
    # lü is typed lv, lu or lyu
    return tuple(
        dict.fromkeys(
            way
            for reading in known
            for way in (
                (reading, reading.replace("v", "u"), reading.replace("v", "yu"))
                if "v" in reading
                else (reading,)
            )
        )
    )


def spellings(name: str) -> list[tuple[str, str]]:
    """Full pinyin and initials of a name in each of its readings: 单丽 → (shanli, sl), (danli, dl)."""
    each = [ways for character in name if (ways := _readings(character))]
    if not each:
        return []
    return [
        ("".join(syllables), "".join(syllable[0] for syllable in syllables))
        for syllables in islice(product(*each), MOST_SPELLINGS)
    ]
