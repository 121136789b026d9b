"""Readings of Chinese that several strict rules share: written-out numbers, traditional signs."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DIGITS = {
    sign: value
    for value, signs in enumerate(
        ("零〇", "一壹", "二两兩贰貳", "三叁參", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖")
    )
    for sign in signs
}
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_SIGNS = "".join((*_DIGITS, *_UNITS, *_MYRIADS))
_RUN = re.compile(f"[{_SIGNS}]{{1,40}}")
# A single sign is a word of its own too often ("一起", "万一"): it must be the whole answer.
_ALONE = re.compile(rf"\W*第?([{_SIGNS}])\s*[天日号號次个個年月遍回]?\W*")


def written_numbers(text: str) -> set[int]:
    """The numbers written out in Chinese signs.

    >>> sorted(written_numbers("第三百五十八天，或者两万零三百")), written_numbers("三次")
    ([358, 20300], {3})
    """
    if alone := _ALONE.fullmatch(text):
        return {number_of(alone[1])}
    return {number_of(run) for run in _RUN.findall(text) if len(run) > 1}


def number_of(run: str) -> int:
    """The number that a run of signs writes; without units its digits one by one.

    >>> number_of("十五"), number_of("三五八"), number_of("一亿零二万"), number_of("三百五")
    (15, 358, 100020000, 350)
    """
    if not set(run) & (_UNITS.keys() | _MYRIADS.keys()):
        return int("".join(str(_DIGITS[sign]) for sign in run))
    total = myriad = digit = 0
    unit = 1  # of the sign before: what a last digit without unit counts in
    for sign in run:
        if sign in _DIGITS:
            digit = digit * 10 + _DIGITS[sign]
            unit = 1 if _DIGITS[sign] == 0 else unit
        elif sign in _UNITS:
            unit = _UNITS[sign]
            myriad += (digit or 1) * unit
            digit = 0
        else:
            total += (myriad + digit or 1) * _MYRIADS[sign]
            unit = _MYRIADS[sign]
            myriad = digit = 0
    # "三百五" is 350: a last digit counts in the tenth of the unit before it.
    return total + myriad + digit * (unit // 10 if unit > 1 else 1)


# Traditional signs and their simplified ones: those of the names, places and things that stories
# are made of, and the commonest others. Signs of which two fell together (后/後) are left out.
_PAIRS = (
    "銀银 錫锡 鎳镍 瑪玛 緞缎 絨绒 鋼钢 編编 疊叠 燈灯 壺壶 鏡镜 傘伞 盤盘 鈴铃 鏈链 鐘钟 鍋锅 籃篮 針针 錨锚 籠笼 鑿凿 錘锤 "
    "鏟铲 劍剑 長长 東东 紅红 藍蓝 遠远 寬宽 濕湿 圓圆 雙双 獨独 鬧闹 彎弯 濘泞 倉仓 橋桥 頭头 場场 園园 鐵铁 鋪铺 樓楼 書书 "
    "館馆 學学 門门 庫库 臺台 驛驿 戲戏 貨货 棧栈 窯窑 涼凉 塢坞 噴喷 獄狱 宮宫 廟庙 鋸锯 廠厂 師师 縫缝 織织 農农 漁渔 獵猎 "
    "戶户 畫画 訟讼 礦矿 廚厨 樂乐 販贩 鎖锁 飾饰 馬马 養养 測测 繪绘 員员 燭烛 圖图 裝装 訂订 繡绣 雜杂 擊击 紙纸 蓋盖 頂顶 "
    "觀观 舊旧 碼码 磚砖 車车 爐炉 銅铜 棗枣 張张 陳陈 吳吴 鄭郑 孫孙 趙赵 馮冯 蔣蒋 韓韩 楊杨 許许 呂吕 鄒邹 蘇苏 範范 魯鲁 "
    "韋韦 賀贺 湯汤 畢毕 鄔邬 齊齐 顧顾 蕭萧 偉伟 麗丽 軍军 艷艳 傑杰 濤涛 瓊琼 瑤瑶 穎颖 蘭兰 悅悦 寧宁 軒轩 鵬鹏 凱凯 貞贞 "
    "聰聪 嬌娇 嵐岚 棟栋 鳳凤 龍龙 劉刘 黃黄 葉叶 錢钱 羅罗 謝谢 鄧邓 國国 醫医 業业 寫写 彈弹 說说 話话 語语 讀读 線线 筆笔 "
    "櫃柜 圍围 項项 風风 飛飞 鳥鸟 魚鱼 貓猫 獅狮 雞鸡 鴨鸭 豬猪 電电 腦脑 網网 郵邮 選选 擇择 開开 關关 過过 還还 從从 給给 "
    "與与 為为 沒没 裡里 間间 時时 來来 們们 個个 這这 見见 問问 "
)
_SIMPLE = {pair[0]: pair[1] for pair in _PAIRS.split()}


def simplified(text: str, names: Iterable[str]) -> str:
    """The text with traditional signs in the simplified form that `names` are written in.

    Only where it can be decided: a sign is changed if the names hold its simple form and not
    itself.

    >>> simplified("短燈臺與茶館", ["短灯台", "茶館"])
    '短灯台與茶館'
    """
    held = set("".join(names))
    if not held:
        return text
    changed = {
        ord(traditional): simple
        for traditional, simple in _SIMPLE.items()
        if simple in held and traditional not in held
    }
    return text.translate(changed)
