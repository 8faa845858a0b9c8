"""The preparations of speech from games and teaching programs, on small copies of their layouts."""

import pytest

from speechtl.data.datadir import DataDir


def texts(folder):
    parts = [folder / part for part in ("train", "dev", "test") if (folder / part).exists()]
    return {key: text for part in parts for key, text in DataDir.load(part).text.items()}


@pytest.fixture
def fillets(tmp_path, write_audio):
    inside = tmp_path / "fillets" / "usr" / "share" / "games" / "fillets-ng"
    lines = [
        'dialogId("m-one", "font_small", "He said \\"hello\\".")\ndialogStr("Řekl \\"ahoj\\", a šel!")',
        'dialogId("v-two", "font_big", "Good.")\n  dialogStr("Dobře.")',
        'dialogId("v-short", "font_big", "Oh.")\ndialogStr("Och.")',
        'dialogId("v-number", "", "%1 hours")\ndialogStr("%1 hodin")',
        'dialogId("v-silent", "font_big", "Nobody says it.")\ndialogStr("Nikdo to neříká.")',
        'dialogId("v-none", "", "Hm.")\ndialogStr("Hm.")',
        'dialogId("v-"..name, "font_big", text)\ndialogStr(text)',
    ]
    for level in ("city", "wreck"):
        (inside / "script" / level).mkdir(parents=True)
        (inside / "script" / level / "dialogs_cs.lua").write_text("\n\n".join(lines), encoding="utf-8")
        for name in ("m-one", "v-two", "v-number", "v-none", "v-unknown"):
            write_audio(inside / "sound" / level / "cs" / f"{name}.wav", 0.3)
        write_audio(inside / "sound" / level / "cs" / "v-short.wav", 0.1)
    return tmp_path / "fillets"


def test_dialogues_have_the_text_of_their_level_and_the_speaker_of_their_font(fillets, tmp_path, prepare_corpus):
    result = prepare_corpus("fillets", fillets, tmp_path / "data")
    assert result.returncode == 0, result.stderr
    assert "left out: 2 recordings shorter than 0.15 s" in result.stdout
    assert "left out: 2 recordings without words, or with digits" in result.stdout
    assert texts(tmp_path / "data" / "cs") == {
        f"{speaker}-{level}-{name}": text
        for level in ("city", "wreck")
        for speaker, name, text in (
            ("cs-small", "m-one", "řekl ahoj a šel"),
            ("cs-big", "v-two", "dobře"),
            ("cs-other", "v-none", "hm"),
        )
    }
    assert (tmp_path / "data" / "cs" / "words.txt").read_text().split() == ["a", "ahoj", "dobře", "hm", "řekl", "šel"]
    assert not (tmp_path / "data" / "nl").exists()
    (tmp_path / "empty").mkdir()
    assert "has no dialogues with speech. It is free" in prepare_corpus("fillets", tmp_path / "empty", tmp_path).stderr


@pytest.fixture
def tuxpaint(tmp_path, write_audio):
    lines = [
        "A red fox.",
        "fr.utf8=Un renard, roux.",
        "pt_BR.utf8=Uma raposa.",
        "es.utf8=Tiene 4 patas.",
        "da.utf8=Ræv.",
    ]
    for folder in ("animals/fox", "toys/fox"):
        path = tmp_path / "stamps" / folder
        path.mkdir(parents=True)
        (path / "fox.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for name in ("fox_desc", "fox_desc_fr", "fox_desc_pt_BR", "fox_desc_es", "fox_desc_it", "fox", "fox_fr"):
            write_audio(path / f"{name}.wav", 1, rate=8000)
        write_audio(path / "fox_desc_da.wav", 4, rate=8000)
    write_audio(path / "bear_desc_fr.wav")
    return tmp_path / "stamps"


def test_stamps_have_a_text_in_each_language(tuxpaint, tmp_path, prepare_corpus):
    result = prepare_corpus("tuxpaint", tuxpaint, tmp_path / "data")
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["en", "fr", "pt"]
    assert texts(tmp_path / "data" / "fr") == dict.fromkeys(
        ("tuxpaint-fr-fox-fox", "tuxpaint-fr-fox-fox-2"), "un renard roux"
    )
    assert set(texts(tmp_path / "data" / "pt").values()) == {"uma raposa"}
    assert set(texts(tmp_path / "data" / "en").values()) == {"a red fox"}
    # Danish is said too slowly; Italian and the bear have no text.
    assert "left out: 2 clips with fewer than 3 or more than 20 letters a second" in result.stdout
    assert "left out: 3 clips without a text" in result.stdout
    assert "left out: 2 clips with digits" in result.stdout


@pytest.fixture
def klettres(tmp_path):
    for language in ("cs", "en_GB", "id"):
        sounds = "".join(f'<sound name="{name}" file="{language}/syllab/{name}.ogg"/>' for name in ("BA", "MÁ"))
        letters = f'<sound name="A" file="{language}/alpha/a.ogg"/><sound name="B" file="{language}/alpha/b.wav"/>'
        path = tmp_path / "klettres" / "usr" / "share" / "klettres" / language
        path.mkdir(parents=True)
        (path / "sounds.xml").write_text(
            f'<klettres><language code="{language}"><alphabet>{letters}</alphabet><syllables>{sounds}</syllables>'
            "</language></klettres>",
            encoding="utf-8",
        )
        for name in ("syllab/BA", "syllab/MÁ", "alpha/a") if language != "id" else ():
            (path / name).parent.mkdir(exist_ok=True)
            (path / f"{name}.ogg").write_bytes(b"")
    return tmp_path / "klettres"


def test_syllables_have_a_text_and_letters_have_none(klettres, tmp_path, prepare_corpus):
    result = prepare_corpus("klettres", klettres, tmp_path / "data")
    assert result.returncode == 0, result.stderr
    assert "left out: 6 sounds that have no file" in result.stdout
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["cs", "en"]
    assert sorted(texts(tmp_path / "data" / "cs").values()) == ["ba", "má"]
    letters = DataDir.load(tmp_path / "data" / "cs" / "unlabelled")
    assert len(letters.wav_scp) == 1
    assert not letters.text
    (klettres / "usr/share/klettres/cs/sounds.xml").write_text("<klettres>")
    assert "sounds.xml: not XML" in prepare_corpus("klettres", klettres, tmp_path / "other").stderr
