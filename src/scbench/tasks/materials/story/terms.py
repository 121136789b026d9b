"""The words the two languages of a story share, as (English, Chinese) pairs: an id means the same
thing in both.

A place or an object is a quality and a noun, so a few dozen words make some 1,400 of each. The
first characters of the Chinese places and objects occur nowhere else in a story, which is why none
can appear by accident across word borders; no English quality ends in another and no English noun
begins with another, so "old mill" cannot hide in "cold mill". Tests hold both.
"""

from __future__ import annotations


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """`"brass 铜, silver 银"` -> `(("brass", "铜"), ("silver", "银"))`; the Chinese word is the last
    one.
    """
    return tuple(
        (english, chinese)
        for english, chinese in (item.strip().rsplit(" ", 1) for item in text.split(","))
    )


MATERIALS = pairs(
    "brass 铜, silver 银, pewter 锡, nickel 镍, bamboo 竹, wicker 藤, china 瓷, jade 玉, lacquer 漆, velvet "
    "绒, linen 麻, satin 缎, bone 骨, horn 犀, leather 皮, wax 蜡, lead 铅, pearl 珠, amber 珀, crystal 晶, "
    "copper 紫, steel 钢, walnut 桃, cedar 杉, pine 松, oak 橡, willow 柯, cotton 棉, golden 镀, painted 彩, "
    "carved 雕, woven 编, folded 叠, onyx 玛, ebony 檀, clay 泥"
)
THINGS = pairs(
    "lamp 灯, jug 壶, bowl 碗, knife 刀, drum 鼓, mirror 镜, comb 梳, box 盒, umbrella 伞, chest 箱, fan 扇, "
    "fiddle 琴, spoon 勺, cup 杯, plate 盘, bell 铃, whistle 哨, chain 链, ring 戒, clock 钟, key 匙, purse "
    "袋, kettle 锅, basket 篮, brush 刷, needle 针, saddle 鞍, pipe 笛, vase 瓶, stool 凳, ladder 梯, anchor "
    "锚, lantern 笼, chisel 凿, hammer 锤, shovel 铲, helmet 盔, mask 罩, sword 剑, buckle 扣"
)
PLACE_QUALITIES = pairs(
    "old 旧, ancient 古, green 青, white 白, black 黑, red 红, blue 蓝, grey 灰, eastern 东, western 西, "
    "southern 南, northern 北, high 高, low 低, long 长, short 短, deep 深, pale 浅, distant 远, broad 宽, "
    "narrow 窄, dim 暗, bright 亮, frosty 冷, warm 暖, dry 干, damp 湿, round 圆, square 方, slanting 斜, "
    "twin 双, lonely 孤, empty 空, noisy 闹, crooked 弯, muddy 泞"
)
PLACE_KINDS = pairs(
    "mill 磨坊, barn 谷仓, bridge 桥头, chapel 教堂, market 集市, harbour 码头, orchard 果园, forge 铁铺, tower "
    "塔楼, ferry 渡口, quarry 石场, garden 花圃, stable 马厩, library 书馆, school 学堂, cellar 地窖, gate 城门, "
    "granary 粮库, brewery 酒坊, workshop 工房, lighthouse 灯台, courtyard 院落, meadow 草场, vineyard 葡园, "
    "dairy 奶棚, tannery 染坊, station 驿站, theatre 戏院, warehouse 货栈, cottage 茅屋, kiln 窑洞, pavilion 凉亭, "
    "dock 船坞, fountain 喷泉, teahouse 茶肆, hospital 医馆, prison 牢狱, palace 宫殿, temple 庙宇, timberyard 锯厂"
)
TRADES = pairs(
    "baker 面包师, potter 制陶工, tailor 裁缝, carpenter 木匠, blacksmith 铁匠, weaver 织工, farmer 农夫, fisher "
    "渔夫, hunter 猎户, shepherd 牧羊人, barber 理发师, butcher 屠夫, doctor 郎中, teacher 教书匠, printer 印刷工, "
    "mason 石匠, glazier 玻璃匠, painter 画师, sailor 水手, soldier 士兵, lawyer 讼师, miner 矿工, cobbler 鞋匠, "
    "cook 厨子, gardener 园丁, musician 乐师, clerk 文书, merchant 商贩, locksmith 锁匠, jeweller 首饰匠, saddler "
    "马具匠, beekeeper 养蜂人, porter 挑夫, coachman 车夫, surveyor 测绘员, chandler 制烛人, dyer 漂染工, roofer 瓦匠, "
    "cartographer 绘图员, bookbinder 装订工"
)
CRAFTS = pairs(
    "knitting 针织, embroidery 刺绣, archery 射箭, pottery 拉坯, calligraphy 书法, juggling 杂耍, swimming 游泳, "
    "fencing 击剑, chess 下棋, sculpture 塑像, woodcarving 木刻, papermaking 造纸, bookbinding 装书, "
    "glassblowing 吹玻璃, cheesemaking 做奶酪, dancing 跳舞, singing 唱歌, riding 骑马, drawing 素描, engraving "
    "镌版, brewing 酿酒, candlemaking 制烛, thatching 盖草顶, beekeeping 养蜂, navigation 航海, astronomy 观星, "
    "algebra 算术, shorthand 速记, falconry 驯鹰, basketry 扎筐"
)
TOWNS = pairs(
    "Elverham 埃弗镇, Tarnwick 塔恩镇, Ostrello 奥斯镇, Quillby 奎尔镇, Fendrake 芬德镇, Ulmstead 乌姆镇, Yarrowin "
    "雅罗镇, Cresthol 克雷镇, Ivenport 伊文镇, Zellmar 泽尔镇, Bexley 贝克镇, Oldrun 欧德镇"
)
