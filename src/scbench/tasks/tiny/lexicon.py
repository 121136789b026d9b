"""The closed vocabulary of the tiny forms. The order of every list is part of every session: append
nothing, swap nothing.
"""

from __future__ import annotations

from scbench.tasks.materials.words import WORDS


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES: tuple[str, ...] = (
    _list("""Ada Ben Cleo Dan Eva Finn Gus Hal Ida Jon Kim Leo Mia Ned Ola Pam Quin Ros Sam Tom Una Vic Wes Xena Yan Zoe Amy Bob Cara Dirk Ella Fay Gil
Hugo Ivy Jack Kate Lars Meg Nora Otto Paul Rita Sid Tess Uri Vera Walt Yves Zack Anna Bert Carl Dora Emil Faye Greta Hans Inga Jill""")
)
PLACES: tuple[str, ...] = (
    _list("""attic barn cellar dock forge garden harbor inn jetty kitchen library market mill museum office orchard palace park pier port
quarry school shed shop stable station studio temple theatre tower tunnel vault village wharf yard zoo bakery chapel garage hotel""")
)
GROUPS: dict[
    str, tuple[str, ...]
    # kinds of things, for ICL.ManyShot: what belongs together is learned, what it is called is not
] = {
    "animals": _list(
        "badger bear beaver bison camel cat cow crab crow deer dog donkey dove duck eagle elk "
        "finch fox frog goat goose hare hawk hen heron horse kite lamb lark lion"
    ),
    "foods": _list(
        "apple bean beet bread butter cake carrot cheese cherry cocoa coffee corn cream fig fudge "
        "garlic grape ham honey jam jelly juice leek lemon lentil lime mango melon muffin olive"
    ),
    "tools": _list(
        "anchor awl axe blade bolt broom brush bucket chain chisel crane drum engine fork hammer "
        "hinge hoe hook key knife ladder ladle lance latch lock loom mop needle oar paddle"
    ),
    "clothes": _list(
        "apron bag blouse bonnet boot button cap cape cloak coat dress glove helmet hood jacket "
        "linen mantle mask mitten robe sandal scarf shirt shoe buckle ribbon veil vest sock hat"
    ),
    "plants": _list(
        "basil birch cactus cedar clover daisy elder elm fern fir flower grass hazel herb iris "
        "lichen lily lotus maple mint moss nettle oak orchid palm pine reed rose hedge leaf"
    ),
    "land": _list(
        "bay beach bank brook cave cliff coast ditch dune field forest gravel grove hill island "
        "lake lava lawn meadow mud ocean path pond ridge ring river road rock sand valley"
    ),
}
LABELS: tuple[str, ...] = _list(
    "amber azure beige black blue brown gold green grey indigo pink purple red silver white yellow"
)
FACTS: tuple[str, ...] = ("cost", "weeks", "staff")
CLERICAL = (
    "from",
    "to",
    "in",
    "report",
    "key",
    "def",
    "return",
    "largest",
    "smallest",
    "odd",
    "even",
)

SURNAMES = "王李张刘陈杨赵黄周吴徐孙马朱胡林"
GIVEN = "明红军丽强芳磊洋勇艳杰娟涛敏超秀霞平刚英"
PLACES_ZH: tuple[str, ...] = _list(
    "花园 学校 医院 车站 公园 商店 图书 码头 工厂 市场 酒店 机场 厨房 书房 寺庙 银行 邮局 剧院 农场 广场"
)
THINGS_ZH: tuple[str, ...] = _list(
    "苹果 雨伞 手表 钢笔 茶杯 灯笼 地图 钥匙 毛衣 相机 口琴 帽子 铁锤 棋盘 剪刀 镜子 围巾 花瓶 木船 铜铃 书包 皮球 蜡烛 风筝"
)
CLERICAL_ZH = "在由给。"

CONSONANTS = "bcdfghjklmnpqrstvwxz"  # no vowel: a random string is never a word
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def words() -> tuple[str, ...]:
    """Every word that has a token of its own, in the order of their ids: once settled, never
    changed.
    """
    groups = [word for group in GROUPS.values() for word in group]
    return tuple(dict.fromkeys([*CLERICAL, *FACTS, *LABELS, *NAMES, *PLACES, *WORDS, *groups]))


def characters() -> str:
    """Every Chinese character of the forms."""
    return "".join(
        dict.fromkeys(SURNAMES + GIVEN + "".join(PLACES_ZH) + "".join(THINGS_ZH) + CLERICAL_ZH)
    )
