"""Disguises beyond the normative ones, seen through where a lexicon asks for it.

Look-alikes are read as one character of their class, in words and in texts. Split characters and
pinyin are further spellings of a word, looked for like words.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product

# The first of each line stands for the others. 威 and 卫 are left out: 威信 and 卫星 are words.
_LOOKALIKES = (
    "微v薇嶶溦徽癓ν√∨⋁ѵ✔✅ᴠ🆅🅥",
    "信x❤♥💗💖💓💕💘💙💚💛💜🖤🤍🤎🧡❣✖❌✕✗✘×χхᶍ心芯❎🆇🅧",
    "加+➕＋╋┼✚✙伽咖嘉茄枷㚙",
    "群裙帬宭羣",
    "钱💰💵💴銭",
    "赌睹赎",
    "扣筘釦",
    "号呺",
    "qԛ🆀🅠",
    "0oοоº〇○◯⭕",
    "1lı|ⅼ丨",
    "aαа🅰ᴀ",
    "bвƅ🅱ʙ",
    "cсϲᴄ",
    "eеεєᴇ",
    "hнʜ",
    "iіι!¡",
    "kκкᴋ",
    "mмᴍ",
    "nпη",
    "pρрᴘ",
    "sѕ$ꜱ",
    "tτтᴛ",
    "uυцᴜ",
    "wωшѡᴡ",
    "yуγʏ",
)

# A character and the two into which it is pulled apart, left and right.
_SPLIT = """
你亻尔 他亻也 们亻门 什亻十 代亻弋 付亻寸 优亻尤 价亻介 低亻氐 信亻言 保亻呆 俩亻两 做亻故 借亻昔 值亻直 佣亻用
证讠正 话讠舌 说讠兑 请讠青 评讠平 语讠吾 认讠人 让讠上 议讠义 许讠午 论讠仑 识讠只 该讠亥 谈讠炎 课讠果 诊讠参
汇氵匚 法氵去 没氵殳 注氵主 洗氵先 活氵舌 流氵㐬 海氵每 消氵肖 满氵㒼 赌贝者 购贝勾 财贝才 账贝长 赔贝咅 贴贝占 败贝攵
钱钅戋 银钅艮 铁钅失 错钅昔 锁钅琐 镑钅旁 银金艮 信人言 好女子 妈女马 她女也 姐女且 妹女未 奶女乃 姓女生 如女口 妇女彐
加力口 和禾口 利禾刂 种禾中 秒禾少 私禾厶 积禾只 税禾兑 程禾呈 微彳𢼸 行彳亍 得彳㝵 很彳艮 待彳寺 往彳主 德彳𢛳
打扌丁 扫扌彐 扣扌口 找扌戈 投扌殳 报扌𠬝 拉扌立 抢扌仓 押扌甲 拨扌发 换扌奂 推扌隹 招扌召 折扌斤 抽扌由 把扌巴 转车专 输车俞
红纟工 约纟勺 级纟及 纯纟屯 组纟且 给纟合 绝纟色 线纟戋 结纟吉 经纟圣 维纟隹 群君羊 码石马 破石皮 硬石更 明日月 时日寸 晚日免
林木木 村木寸 相木目 机木几 杀㐅木 极木及 校木交 楼木娄 样木羊 枪木仓 现王见 理王里 球王求 张弓长 强弓虽 弹弓单 引弓丨
肝月干 肚月土 胎月台 肥月巴 服月𠬝 朋月月 期其月 视礻见 神礻申 福礻畐 礼礻乚 社礻土 祖礻且 被衤皮 裙衤君 初衤刀 补衤卜
骂口口马 吗口马 吃口乞 叫口丩 呢口尼 唯口隹 哪口那 品口口口 喝口曷 嘴口觜 炮火包 灯火丁 炸火乍 烟火因 烧火尧 爆火暴
对又寸 戏又戈 欢又欠 难又隹 双又又 观又见 款士示欠 放方攵 政正攵 收丩攵 教孝攵 故古攵 数娄攵 鸡又鸟 鸭甲鸟 鹅我鸟
刷尸巾刂 别另刂 到至刂 判半刂 制牛巾刂 剧居刂 划戈刂 刑开刂 则贝刂 创仓刂 刮舌刂 都者阝 部咅阝 邮由阝 郑关阝 邪牙阝
险阝佥 阿阝可 队阝人 阳阝日 阴阝月 院阝完 随阝有辶 陪阝咅 领令页 顶丁页 顺川页 额客页 题是页 预予页 颜彦页
"""

_MIXED_UP_TO = 4  # characters of which every mixture with pinyin is a spelling
_SPELLINGS = 16  # at most, by splitting
_LATIN_LETTERS = 5  # fewer letters without a Chinese character are too often another word


@cache
def lookalike_classes() -> dict[str, str]:
    """Every character that is read as another one."""
    return {char: line[0] for line in _LOOKALIKES for char in line[1:]}


@cache
def _parts() -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for entry in _SPLIT.split():
        parts.setdefault(entry[0], []).append(entry[1:])
    return parts


def split_spellings(word: str) -> list[str]:
    """The word with one or more of its characters pulled apart: 你好, 亻尔好, 亻尔女子 …

    A word of one character has none: 女子 is not 好.
    """
    if len(word) < 2:
        return []
    choices = [[char, *_parts().get(char, ())] for char in word]
    spellings: list[str] = []
    for parts in product(*choices):
        spelling = "".join(parts)
        if spelling != word:
            spellings.append(spelling)
        if len(spellings) == _SPELLINGS:
            break
    return spellings


def pinyin_spellings(word: str) -> list[str]:
    """The word with some or all of its Chinese characters in pinyin: jia微信, jiaweixin …

    Only with its own characters: 家卫新 sounds the same and is something else.
    """
    places = [place for place, char in enumerate(word) if is_chinese(char)]
    if len(places) < 2:
        return []
    # Its table weighs 50 MB, and few lexicons ask for it.
    from pypinyin import lazy_pinyin  # noqa: PLC0415

    syllables = lazy_pinyin(word, errors=list)  # type: ignore[arg-type]  # narrower than it is
    if len(syllables) != len(word):
        return []
    spellings = []
    for written in _mixtures(places):
        spelling = "".join(
            syllables[place] if place in written else char for place, char in enumerate(word)
        )
        if not spelling.isascii() or len(spelling) >= _LATIN_LETTERS:
            spellings.append(spelling)
    return spellings


def _mixtures(places: list[int]) -> Iterator[set[int]]:
    if len(places) <= _MIXED_UP_TO:
        for chosen in product((True, False), repeat=len(places)):
            if any(chosen):
                yield {place for place, is_chosen in zip(places, chosen, strict=True) if is_chosen}
        return
    yield set(places)
    for count in range(1, len(places)):
        yield set(places[:count])
        yield set(places[count:])


def is_chinese(char: str) -> bool:
    return "\u3400" <= char <= "\u9fff" or char >= "\U00020000"
