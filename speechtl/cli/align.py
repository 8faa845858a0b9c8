"""``speechtl align``: when was each word and phone of a transcript said?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from speechtl.alignment.corpus import AlignedUtterance
    from speechtl.data.datadir import DataDir
    from speechtl.experiment.experiment import Experiment
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phones import PhoneInventory


def align(
    experiment: Annotated[Path, typer.Argument(help="Experiment directory of a trained model.")],
    data: Annotated[Path, typer.Argument(help="Data directory with text and features.")],
    out: Annotated[Path, typer.Argument(help="Folder of the results: ctm, phones.ctm, textgrid/, log.jsonl.")],
    lexicon: Annotated[
        Path | None, typer.Option("--lexicon", help="Pronunciations of the words. Default: that of the training.")
    ] = None,
    notation: Annotated[
        Literal["ipa", "arpabet", "xsampa"], typer.Option("--notation", help="How the lexicon writes phones.")
    ] = "ipa",
    language: Annotated[
        str | None, typer.Option("--language", help="Which head of the model; needed if it has several.")
    ] = None,
    phones: Annotated[
        bool, typer.Option("--phones", help="The transcripts are phones of the model; no lexicon is used.")
    ] = False,
    refine: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(
            "--refine",
            help="Sharpen boundaries with models of the phones trained on DATA itself; auto: if it has enough speech.",
        ),
    ] = "auto",
    textgrids: Annotated[bool, typer.Option(help="Write a TextGrid of each utterance.")] = True,
    jobs: Annotated[int, typer.Option("--nj", min=1, help="Threads of the alignment.")] = 1,
) -> None:
    """Align transcripts with their speech: words and phones with times, as CTM and TextGrid.

    Utterances that cannot be aligned are listed with the reason; all others are done.
    """
    from speechtl.alignment.corpus import WORTH_REFINING, align_corpus, coarse
    from speechtl.alignment.corpus import refine as sharpen
    from speechtl.alignment.words import Pauses
    from speechtl.data.datadir import DataDir
    from speechtl.errors import ConfigError, DataError, list_problems
    from speechtl.experiment.experiment import Experiment
    from speechtl.features.frame_clock import FrameClock
    from speechtl.progress import progress_bar

    if phones and lexicon is not None:
        raise ConfigError("--phones says that transcripts are phones; leave --lexicon out")
    data_dir = DataDir.load(data)
    if not data_dir.text:
        raise DataError(f"{data}/text: missing; alignment needs transcripts")
    model = Experiment.load(experiment)
    language = model.language(language)
    inventory = model.inventory(language)
    words = None if phones else _load_lexicon(model, language, lexicon, notation)
    if words is not None:
        words = _of_the_transcripts(words, inventory, data_dir)
    silence = model.config.decoding.silence_phone
    clock = FrameClock.of(model.config.features, model.model.subsampling)
    with progress_bar("aligning", len(data_dir)) as advance:
        found, problems = align_corpus(
            model.posteriors_of(data, language),
            {utterance: text.split() for utterance, text in data_dir.text.items()},
            inventory,
            words,
            silence_phone=silence,
            pauses=Pauses.of(model.frame_shift),
            jobs=jobs,
            advance=advance,
        )
    for utterance in data_dir.utterance_ids:
        if utterance not in data_dir.feats_scp:
            problems[utterance] = f"has no features; run speechtl features {data}"
    listed = [f"{utterance}: {problem}" for utterance, problem in sorted(problems.items())]
    if not found:
        raise DataError(list_problems(f"{data}: no utterance could be aligned", listed))
    durations = {utterance: _duration(data_dir, model, utterance, frames) for utterance, (_, frames) in found.items()}
    seconds = sum(durations.values())
    if refine == "always" or (refine == "auto" and seconds >= WORTH_REFINING):
        with progress_bar("refining", None) as advance:
            aligned = sharpen(
                data_dir,
                found,
                inventory,
                model.config.features,
                clock,
                durations,
                silence_phone=silence,
                phones_only=phones,
                jobs=jobs,
                advance=advance,
            )
        coarse_ones = sum(not one.refined for one in aligned.values())
        how = "boundaries refined on this speech" + (f" (not in {coarse_ones} utterances)" if coarse_ones else "")
    else:
        aligned = {key: coarse(one, frames, clock, durations[key]) for key, (one, frames) in found.items()}
        why = f" (less than {WORTH_REFINING:g} s of speech)" if refine == "auto" else ""
        how = f"boundaries of the model, not refined{why}"
    _write(out, data_dir, aligned, durations, words_too=not phones, textgrids=textgrids)
    if listed:
        typer.echo(list_problems(f"warning: {data}: {len(listed)} utterances are not aligned", listed), err=True)
    print(f"{out}: {len(aligned)} utterances, {seconds / 60:.1f} minutes, {how}")


def _load_lexicon(
    model: "Experiment", language: str, path: Path | None, notation: Literal["ipa", "arpabet", "xsampa"]
) -> "Lexicon":
    from speechtl.errors import LexiconError
    from speechtl.lang.lexicon import Lexicon

    if path is not None:
        # Read as the training read its own: with stress and tone or without.
        source = next(source for source in model.config.data if source.language == language)
        return Lexicon.load(path, notation=notation, stress=source.stress, tone=source.tone)
    try:
        return model.lexicon(language)
    except LexiconError as error:
        raise LexiconError(f"{error}, or align transcripts of phones with --phones") from error


def _of_the_transcripts(lexicon: "Lexicon", inventory: "PhoneInventory", data: "DataDir") -> "Lexicon":
    """Keep the words of the transcripts, in phones of the model; say what was replaced and what is missing."""
    from speechtl.errors import list_problems
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phone_mapping import map_lexicon

    needed = sorted({word for text in data.text.values() for word in text.split()})
    kept = Lexicon()
    kept.entries = {word: lexicon.entries[word] for word in needed if word in lexicon}
    kept, replaced = map_lexicon(kept, inventory)
    if replaced:
        lines = [f"{phone} -> {other or 'nothing'}" for phone, other in replaced.items()]
        typer.echo(list_problems("warning: phones that the model lacks, and what stands for them:", lines), err=True)
    missing = [word for word in needed if word not in lexicon]
    if missing:
        heading = f"warning: {len(missing)} words are not in the lexicon; add them (speechtl lexicon add, g2p):"
        typer.echo(list_problems(heading, missing, limit=20), err=True)
    return kept


def _duration(data: "DataDir", model: "Experiment", utterance: str, frames: int) -> float:
    """Return the seconds of an utterance; of one without an entry in utt2dur those that its frames are."""
    return data.utt2dur.get(utterance, frames * model.frame_shift)


def _write(
    out: Path,
    data: "DataDir",
    aligned: "dict[str, AlignedUtterance]",
    durations: dict[str, float],
    *,
    words_too: bool,
    textgrids: bool,
) -> None:
    import json

    from speechtl.data.ctm import write_ctm
    from speechtl.data.textgrid import write_textgrid
    from speechtl.files import atomic_write

    if words_too:
        write_ctm(out / "ctm", {utterance: one.words for utterance, one in aligned.items()}, data)
    write_ctm(out / "phones.ctm", {utterance: one.phones for utterance, one in aligned.items()}, data)
    for utterance, one in aligned.items() if textgrids else ():
        tiers = {"words": one.words, "phones": one.phones} if words_too else {"phones": one.phones}
        # A slash in an id would be a folder.
        write_textgrid(out / "textgrid" / f"{utterance.replace('/', '_')}.TextGrid", tiers, durations[utterance])
    with atomic_write(out / "log.jsonl") as file:
        for utterance in sorted(aligned):
            file.write(json.dumps(_as_json(utterance, aligned[utterance]), ensure_ascii=False) + "\n")


def _as_json(utterance: str, one: "AlignedUtterance") -> dict[str, Any]:
    return {
        "utterance": utterance,
        "score": round(one.score, 3),
        "score_per_frame": round(one.score / max(one.frames, 1), 4),
        "confidence": round(sum(phone.confidence or 0.0 for phone in one.phones) / max(len(one.phones), 1), 4),
        "refined": one.refined,
        "words": len(one.words),
        "phones": len(one.phones),
        "speech_seconds": round(sum(phone.end - phone.start for phone in one.phones), 3),
    }
