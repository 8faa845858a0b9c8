"""The preparations of gcin-voice and audio-cmn: Mandarin syllables and words, on small copies of their layouts."""

import runpy
from pathlib import Path

import pytest

from speechtl.data.datadir import DataDir
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import split_ipa

CORPORA = Path(__file__).resolve().parents[2] / "recipes" / "corpora"


@pytest.fixture(scope="module")
def syllables():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CORPORA))
        return runpy.run_path(str(CORPORA / "mandarin.py"))["MandarinSyllables"]()


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("pinyin", "bopomofo", "phones"),
    [
        ("zhong1", "ㄓㄨㄥ", "ʈ͡ʂ ʊ˥ ŋ"),
        ("weng1", "ㄨㄥ", "w ə˥ ŋ"),
        ("yong3", "ㄩㄥ3", "j ʊ˨˩˦ ŋ"),
        ("xiong2", "ㄒㄩㄥ2", "ɕ j ʊ˧˥ ŋ"),
        ("bo2", "ㄅㄛ2", "p w ɔ˧˥"),
        ("o2", "ㄛ2", "ɔ˧˥"),
        ("shi4", "ㄕ4", "ʂ ɻ̩˥˩"),
        ("si4", "ㄙ4", "s ɹ̩˥˩"),
        ("xi1", "ㄒㄧ", "ɕ i˥"),
        ("qu4", "ㄑㄩ4", "t͡ɕʰ y˥˩"),
        ("lü4", "ㄌㄩ4", "l y˥˩"),
        ("nu:3", "ㄋㄩ3", "n y˨˩˦"),
        ("lu4", "ㄌㄨ4", "l u˥˩"),
        ("xue2", "ㄒㄩㄝ2", "ɕ ɥ ɛ˧˥"),
        ("yuan2", "ㄩㄢ2", "ɥ ɛ˧˥ n"),
        ("yun4", "ㄩㄣ4", "y˥˩ n"),
        ("yan2", "ㄧㄢ2", "j ɛ˧˥ n"),
        ("you3", "ㄧㄡ3", "j o͡ʊ˨˩˦"),
        ("liu2", "ㄌㄧㄡ2", "l j o͡ʊ˧˥"),
        ("wei4", "ㄨㄟ4", "w e͡ɪ˥˩"),
        ("dui4", "ㄉㄨㄟ4", "t w e͡ɪ˥˩"),
        ("wen2", "ㄨㄣ2", "w ə˧˥ n"),
        ("yi1", "ㄧ", "i˥"),
        ("wu3", "ㄨ3", "u˨˩˦"),
        ("er4", "ㄦ4", "a˥˩ ɻ"),
        ("ma5", "ㄇㄚ1", "m a"),
    ],
)
def test_pinyin_and_bopomofo_are_the_same_phones(syllables, pinyin, bopomofo, phones):
    assert syllables.of_pinyin(pinyin) == syllables.of_bopomofo(bopomofo) == phones.split()
    assert all(len(split_ipa(phone, tone="drop")) == 1 for phone in phones.split())


@pytest.mark.parametrize("word", ["", "hm1", "ng2", "zh", "strength", "1", "lvan1x"])
def test_what_is_no_syllable_has_no_phones(syllables, word):
    assert syllables.of_pinyin(word) == []
    assert syllables.of_bopomofo(word) == []


def test_the_lexicon_of_the_project_has_the_same_phones(syllables):
    lexicon = Lexicon.load(CORPORA.parents[1] / "lexicons" / "zh" / "lexicon.txt")
    for word, pinyin in {
        "七": "qi1",
        "三": "san1",
        "不": "bu4",
        "九": "jiu3",
        "二": "er4",
        "十": "shi2",
        "四": "si4",
    }.items():
        assert list(lexicon.pronounce(word)[0].phones) == syllables.of_pinyin(pinyin)


def test_gcin_voice_takes_one_of_two_voices(tmp_path, prepare_corpus):
    inside = tmp_path / "corpus" / "usr" / "share" / "gcin-voice" / "ogg"
    names = ["ㄅㄚ", "ㄅㄚ1", "ㄅㄚ2", "ㄅㄚ3", "ㄅㄚ4", "ㄓㄨㄥ", "ㄕ4", "ㄛ", "ㄨㄥ"]
    touch(*(inside / name / "5.ogg" for name in names), *(inside / name / "3.ogg" for name in [*names, "ㄅ"]))
    result = prepare_corpus("gcin_voice", tmp_path / "corpus", tmp_path / "data")
    assert result.returncode == 0, result.stderr
    parts = {part: DataDir.load(tmp_path / "data" / part) for part in ("train", "dev", "test")}
    assert {part: len(data) for part, data in parts.items()} == {"train": 6, "dev": 1, "test": 2}
    assert all(path.endswith("5.ogg") for part in parts.values() for path in part.wav_scp.values())
    assert sorted(Lexicon.load(tmp_path / "data" / "lexicon.txt").words) == sorted(names)
    touch(inside / "hello" / "5.ogg")
    assert "hello: no syllable in bopomofo" in prepare_corpus("gcin_voice", tmp_path / "corpus", tmp_path / "x").stderr
    (tmp_path / "nothing").mkdir()
    assert "has no <syllable>/5.ogg. It is free" in prepare_corpus("gcin_voice", tmp_path / "nothing", tmp_path).stderr


def test_audio_cmn_leaves_out_what_may_be_read_in_several_ways(tmp_path, prepare_corpus):
    pytest.importorskip("pypinyin")
    corpus = tmp_path / "corpus" / "64k"
    touch(*(corpus / "syllabs" / f"cmn-{name}.mp3" for name in ("zhong1", "ma5", "_ng2", "shi4", "lv4")))
    words = ("银行", "不是", "三", "行", "一_也_", "玩儿", "妈妈")
    touch(*(corpus / "hsk" / f"cmn-{word}.mp3" for word in words), corpus / "hsk" / "notes.txt")
    result = prepare_corpus("audio_cmn", tmp_path / "corpus", tmp_path / "data")
    assert result.returncode == 0, result.stderr
    for reason in ("with two words", "with a vowel that ends in r", "of interjections", "with several readings"):
        assert f"left out: 1 clips {reason}" in result.stdout
    lexicon = Lexicon.load(tmp_path / "data" / "lexicon.txt")
    assert sorted(lexicon.words) == sorted(["zhong1", "ma5", "shi4", "lv4", "银行", "不是", "三", "妈妈"])
    assert lexicon.pronounce("银行")[0].phones == ("i˧˥", "n", "x", "a˧˥", "ŋ")
    train = DataDir.load(tmp_path / "data" / "train")
    assert set(train.spk2utt) == {"tan", "wang"}
    (corpus / "hsk").rename(corpus / "words")
    assert "these are missing: 64k/hsk" in prepare_corpus("audio_cmn", tmp_path / "corpus", tmp_path / "x").stderr
