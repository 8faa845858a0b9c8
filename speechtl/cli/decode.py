"""``speechtl decode``: phones, and words through a lexicon, for a data directory."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    import numpy as np

    from speechtl.alignment.span import Hypothesis
    from speechtl.data.datadir import DataDir
    from speechtl.decoding.confidence import Calibration
    from speechtl.decoding.config import DecodingConfig
    from speechtl.lang.lexicon import Lexicon
    from speechtl.recognition.posteriors import Posteriors
    from speechtl.recognition.spoken_language import SpokenLanguage


def decode(
    experiment: Annotated[Path, typer.Argument(help="Experiment directory of a trained model.")],
    data: Annotated[Path, typer.Argument(help="Data directory with features.")],
    out: Annotated[
        Path,
        typer.Argument(
            help="Folder of the results: phones, text, ctm, phones.ctm, utt2lang, log.jsonl, decoding.toml."
        ),
    ],
    lexicon: Annotated[
        Path | None,
        typer.Option(
            "--lexicon",
            help="Pronunciations of the words to find, or a folder with LANGUAGE.txt; without it, phones alone.",
        ),
    ] = None,
    notation: Annotated[
        Literal["ipa", "arpabet", "xsampa"], typer.Option("--notation", help="How the lexicon writes phones.")
    ] = "ipa",
    lm: Annotated[
        Path | None, typer.Option("--lm", help="Language model: word n-grams, in ARPA format or as a trie of KenLM.")
    ] = None,
    grammar: Annotated[
        Path | None,
        typer.Option("--grammar", help="In place of --lm, a grammar of commands: JSGF, or OpenFst text."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file; its [decoding] table goes over the experiment's.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting: decoding.lm_weight=1.5. May be repeated.")
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language",
            help="Which of the model's languages; by default what utt2lang says, or what is recognised, if it can be.",
        ),
    ] = None,
    phones_of: Annotated[
        Literal["model", "lexicon"],
        typer.Option(
            "--inventory",
            help="The phones to recognise: a trained head's, or all of --lexicon, heard in training or not (needs the "
            'transfer method "attributes"; a language need not be named).',
        ),
    ] = "model",
    speaker: Annotated[
        Path | None,
        typer.Option("--speaker", help="What speechtl adapt wrote about the speaker (folder or speaker.h5), on top."),
    ] = None,
    tune_on: Annotated[
        Path | None,
        typer.Option(
            "--tune", help="Data directory with text: first choose weights and penalties on it, into OUT/tuned.toml."
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="With --tune, the values to try of one setting: lm_weight=0.5,1,2. Repeatable."),
    ] = None,
    posteriors: Annotated[
        list[Path] | None,
        typer.Option("--posteriors", help="scp table of stored posteriors, instead of running the model. Repeatable."),
    ] = None,
    save_posteriors: Annotated[
        Path | None, typer.Option("--save-posteriors", help="Folder: keep the posteriors as posteriors.ark and .scp.")
    ] = None,
    oov: Annotated[
        Literal["words", "phones"] | None,
        typer.Option("--oov", help="phones: where no word fits, the phones themselves, as <oov:k_u_b>."),
    ] = None,
    nbest: Annotated[int, typer.Option("--nbest", min=1, help="Hypotheses per utterance in log.jsonl.")] = 1,
    times: Annotated[
        bool, typer.Option("--times/--no-times", help="Times and confidence of words; without, the search is faster.")
    ] = True,
    jobs: Annotated[int, typer.Option("--nj", min=1, help="Threads of the search.")] = 1,
) -> None:
    """Decode speech: greedy phones, and words through a lexicon and a language model.

    ``--config OUT/tuned.toml`` decodes other data with the values that ``--tune`` chose.
    """
    import contextlib
    import itertools
    import json
    import time

    from speechtl.alignment.ctc import greedy_phones
    from speechtl.data.datadir import DataDir
    from speechtl.data.tables import write_table
    from speechtl.decoding.decode import decode as search
    from speechtl.decoding.lexicon_decoder import LexiconDecoder
    from speechtl.decoding.tune import parse_grid, tune
    from speechtl.errors import ConfigError, DataError, list_problems
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.features.archives import write_ark_scp
    from speechtl.files import atomic_write
    from speechtl.grammar.read import read_lm_or_grammar, words_without_pronunciation
    from speechtl.grammar.word_graph import WordGraph
    from speechtl.lang.phones import PhoneInventory
    from speechtl.progress import progress_bar
    from speechtl.recognition.posteriors import NEW_LANGUAGE, Posteriors
    from speechtl.recognition.spoken_language import describe_languages

    if lm and grammar:
        raise ConfigError("--lm and --grammar both define the word sequences; give one of them")
    if lexicon is None and (lm or grammar or tune_on):
        raise ConfigError("--lm, --grammar and --tune are about words; give their pronunciations with --lexicon")
    if grid and tune_on is None:
        raise ConfigError("--grid is what --tune tries; give a data directory with --tune")
    points = parse_grid(grid or [])
    if phones_of == "lexicon" and lexicon is None:
        raise ConfigError("--inventory lexicon takes the phones of a lexicon; give it with --lexicon")
    settings = [*(settings or []), *([f"decoding.oov={oov}"] if oov else [])]
    if speaker and posteriors:
        raise ConfigError("--speaker changes the model, which --posteriors does not run; give one of them")
    kept = ExperimentDirectory(experiment)
    section = kept.decoding_config(config, settings)
    data_dir = DataDir.load(data)
    source = Posteriors(experiment, posteriors or [], speaker)
    searched = not posteriors and phones_of == "model" and section.mode != "embedding"
    several = language is None and len(kept.languages) > 1 and searched
    spoken = _spoken(source, data) if several else {}
    # The first language says how lexicons are read where any may be decoded.
    one = language or (kept.languages[0] if phones_of == "lexicon" and kept.languages else None)
    languages = sorted({u.name for u in spoken.values()}) if several else [kept.language(one)]
    if len(languages) > 1 and (lm or grammar or tune_on or (lexicon and not lexicon.is_dir())):
        raise ConfigError(
            "--lm, --grammar, --tune and the file of a --lexicon are of one language; name it with --language "
            f"({', '.join(kept.languages)})"
        )
    lexicons = {name: kept.read_lexicon(lexicon, name, notation) for name in languages} if lexicon else {}
    if phones_of == "lexicon":
        lexicons, languages = {NEW_LANGUAGE: lexicons[languages[0]]}, [NEW_LANGUAGE]
        source.new_phones = PhoneInventory(sorted(lexicons[NEW_LANGUAGE].phones()))
        inventories = {NEW_LANGUAGE: source.new_phones}
    else:
        inventories = {name: kept.inventory(name) for name in languages}
    rules = read_lm_or_grammar(lm, grammar)
    if isinstance(rules, WordGraph) and (lacking := words_without_pronunciation(rules, lexicons[languages[0]])):
        heading = f"warning: {grammar} has words that {lexicon} lacks; what has them cannot be found:"
        typer.echo(list_problems(heading, lacking, limit=20), err=True)
    if section.mode == "embedding":
        if not lexicons or rules is not None or tune_on or posteriors:
            wanted = "give --lexicon, and none of --lm, --grammar, --tune and --posteriors"
            raise ConfigError(f'decoding.mode = "embedding" compares whole utterances with pronunciations; {wanted}')
        _decode_by_embedding(source, data, out, lexicons[languages[0]], nbest)
        _write_toml(out / "decoding.toml", section)
        return

    if tune_on is not None:
        (name,) = languages
        known = dict(source.of(tune_on, name, len(inventories[name]) + 1))
        references = DataDir.load(tune_on).text
        tuning = tune(known, references, lexicons[name], inventories[name], rules, section, points, jobs=jobs)
        section = tuning.config
        chosen = ", ".join(f"{name} {value:g}" for name, value in tuning.best.values.items())
        print(f"{tune_on}: WER {100 * tuning.best.rate:.2f} % with {chosen}")
        print(f"{tune_on}: {_describe(tuning.confidence)} (cross-validated)")
        trials = [{**trial.values, "wer": round(100 * trial.rate, 3)} for trial in tuning.trials]
        _write_toml(out / "tuned.toml", section)
        with atomic_write(out / "tuning.jsonl") as file:
            file.writelines(json.dumps(trial) + "\n" for trial in trials)

    decoders = {name: LexiconDecoder(words, inventories[name], rules, section) for name, words in lexicons.items()}
    for decoder in decoders.values():
        # A large lexicon is no mistake where commands need few of its words.
        if decoder.unreachable_words and not isinstance(rules, WordGraph):
            heading = f"warning: {lm or grammar} lacks words of {lexicon} and has no <unk>; they cannot be found:"
            typer.echo(list_problems(heading, decoder.unreachable_words, limit=20), err=True)

    phones: dict[str, str] = {}
    frames: dict[str, int] = {}
    found: dict[str, list[Hypothesis]] = {}
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(progress_bar("decoding", len(data_dir)))
        keep = None
        if save_posteriors:
            ark = (save_posteriors / "posteriors.ark").absolute()
            keep = stack.enter_context(write_ark_scp(ark, ark.with_suffix(".scp")))

        def language_of(utterance: str) -> str:
            return spoken[utterance].name if several else languages[0]

        def note(name: str) -> "Iterator[tuple[str, np.ndarray]]":
            own = {utterance for utterance, one in spoken.items() if one.name == name} if several else None
            for utterance, matrix in source.of(data, name, len(inventories[name]) + 1, own):
                phones[utterance] = " ".join(greedy_phones(matrix, inventories[name]))
                frames[utterance] = len(matrix)
                if keep is not None:
                    keep(utterance, matrix)
                yield utterance, matrix

        started = time.monotonic()
        noted = itertools.chain.from_iterable(map(note, languages))
        pairs: Iterable[tuple[str, list[Hypothesis]]] = (
            search(noted, lambda utterance: decoders[language_of(utterance)], nbest=nbest, times=times, jobs=jobs)
            if decoders
            else ((key, []) for key, _ in noted)
        )
        for utterance, hypotheses in pairs:
            found[utterance] = hypotheses
            advance()
        seconds = time.monotonic() - started
        if not found:
            wanted = "stored posteriors" if posteriors else "features"
            raise DataError(f"{data}: no utterance has {wanted}; nothing to decode")

    write_table(out / "phones", phones)
    if several:
        write_table(out / "utt2lang", {utterance: spoken[utterance].name for utterance in found})
        print(f"{out}: {describe_languages(spoken)}")
    if decoders:
        write_table(out / "text", {utterance: " ".join(best[0].words) for utterance, best in found.items()})
        with atomic_write(out / "log.jsonl") as file:
            for utterance in sorted(found):
                line = _as_json(utterance, frames[utterance], found[utterance], spoken.get(utterance))
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        if times:
            _write_ctms(kept.frame_shift, out, found, data_dir)
            if data_dir.text:
                print(f"{out}: {_describe(_calibration(found, data_dir.text))}")
    _write_toml(out / "decoding.toml", section)
    missing = sorted(set(data_dir.utterance_ids) - set(found))
    if missing:
        typer.echo(list_problems(f"warning: {data}: utterances without features, not decoded:", missing), err=True)
    cut = sorted(utterance for utterance, best in found.items() if best and not best[0].complete)
    if cut:
        heading = (
            "warning: no word ended in the last frame of these utterances (too short, or decoding.beam too narrow):"
        )
        typer.echo(list_problems(heading, cut, limit=20), err=True)
    print(f"{out}: {len(found)} utterances, {sum(frames.values())} frames of posteriors, {seconds:.1f} s")


def _decode_by_embedding(source: "Posteriors", data: Path, out: Path, words: "Lexicon", nbest: int) -> None:
    """Write ``text`` and ``log.jsonl`` of the words whose pronunciations are nearest to the utterances."""
    import json

    from speechtl.data.tables import write_table
    from speechtl.errors import DataError
    from speechtl.files import atomic_write
    from speechtl.recognition.nearest_word import nearest_words

    found = sorted(nearest_words(source.model, data, words, nbest))
    if not found:
        raise DataError(f"{data}: no utterance has features; nothing to decode")
    write_table(out / "text", {utterance: best[0].words[0] for utterance, _, best in found})
    with atomic_write(out / "log.jsonl") as file:
        file.writelines(json.dumps(_as_json(*one), ensure_ascii=False) + "\n" for one in found)
    print(f"{out}: {len(found)} utterances")


def _write_ctms(shift: float, out: Path, found: "dict[str, list[Hypothesis]]", data_dir: "DataDir") -> None:
    from speechtl.alignment.span import in_seconds
    from speechtl.data.ctm import write_ctm

    known = {utterance: best[0] for utterance, best in found.items() if utterance in data_dir.utt2spk}
    words = {utterance: in_seconds(one.word_spans, shift) for utterance, one in known.items()}
    write_ctm(out / "ctm", words, data_dir)
    write_ctm(out / "phones.ctm", {u: in_seconds(one.phone_spans, shift) for u, one in known.items()}, data_dir)


def _calibration(found: "dict[str, list[Hypothesis]]", references: dict[str, str]) -> "Calibration":
    from speechtl.decoding.confidence import calibration, mark_correct

    known = {utterance: best[0] for utterance, best in found.items() if utterance in references}
    correct = mark_correct(references, ((utterance, best.words) for utterance, best in known.items()))
    pairs = [
        (span.confidence, right)
        for utterance, best in known.items()
        for span, right in zip(best.word_spans, correct[utterance], strict=False)
        if span.confidence is not None
    ]
    return calibration([sure for sure, _ in pairs], [right for _, right in pairs])


def _describe(calibration: "Calibration") -> str:
    return (
        f"confidence of {calibration.words} words: mean {calibration.mean_confidence:.3f}, "
        f"right {calibration.accuracy:.3f}, "
        f"expected calibration error {calibration.error:.3f}, normalised cross entropy {calibration.entropy:.3f}"
    )


def _spoken(source: "Posteriors", data: Path) -> "dict[str, SpokenLanguage]":
    from speechtl.recognition.language_identifier import spoken_languages

    return spoken_languages(source.model, data)


def _write_toml(path: Path, section: "DecodingConfig") -> None:
    import tomli_w

    from speechtl.files import atomic_write

    with atomic_write(path) as file:
        file.write(tomli_w.dumps({"decoding": section.model_dump(exclude_none=True)}))


def _as_json(
    utterance: str, frames: int, hypotheses: "list[Hypothesis]", language: "SpokenLanguage | None" = None
) -> dict[str, Any]:
    import math

    # A search that found nothing at all scores -inf, which JSON does not have.
    lines = [
        {
            "words": " ".join(hypothesis.words),
            "phones": " ".join(hypothesis.phones),
            "score": round(hypothesis.score, 3) if hypothesis.score > -math.inf else None,
            "acoustic_score": round(hypothesis.acoustic_score, 3),
            "graph_score": round(hypothesis.graph_score, 3),
            "complete": hypothesis.complete,
        }
        for hypothesis in hypotheses
    ]
    about: dict[str, Any] = {"utterance": utterance, "frames": frames}
    if language is not None:
        about["language"] = language.name
        if language.probability is not None:
            about["language_probability"] = round(language.probability, 4)
    return about | {"hypotheses": lines}
