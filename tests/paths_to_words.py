"""The words of recordings by every path that leads from audio to words."""

import functools
import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import tomli_w
from command_line import run

import speechtl
from speechtl.data.datadir import DataDir
from speechtl.features.archives import write_ark_scp
from speechtl.pretrained.model_path import model_path, recogniser_path
from speechtl.recognition.load_model import load_model
from speechtl.recognition.recogniser import Recogniser
from speechtl.recognition.recogniser_options import RecogniserOptions
from speechtl.recognition.vocabulary import Vocabulary


class Speech(NamedTuple):
    """What is recognised, and with what.

    Attributes:
        model: a name or a path.
        language: of the model's.
        files: path of each recording; each counts as a speaker.
        lexicon: of the words to find.
        notation: of the lexicon.
        folder: for what is written on the way.
    """

    model: str
    language: str
    files: dict[str, Path]
    lexicon: Path
    notation: str
    folder: Path

    @property
    def options(self):
        return {"lexicon": self.lexicon, "notation": self.notation, "language": self.language}


@functools.cache
def _recogniser(model, language, lexicon, notation):
    return speechtl.load(model, lexicon=lexicon, notation=notation, language=language)


def recogniser_of(speech):
    return _recogniser(speech.model, speech.language, speech.lexicon, speech.notation)


def data_of(speech):
    """Write a data directory and return it with the config of the model's features."""
    folder = speech.folder / "data"
    if not folder.exists():
        utt2spk = {name: name for name in speech.files}
        wav = {name: str(path) for name, path in speech.files.items()}
        DataDir(folder, wav_scp=wav, utt2spk=utt2spk).save(folder)
    config = speech.folder / "features.toml"
    features = recogniser_of(speech).experiment.features.model_dump(mode="json", exclude_none=True)
    config.write_text(tomli_w.dumps({"features": features}))
    return folder, config


def _texts(path, speech):
    found = dict(line.partition(" ")[::2] for line in path.read_text().splitlines())
    return {name: found.get(name, "") for name in speech.files}, ""


def transcribed(speech):
    """``transcribe`` of files."""
    found = run("transcribe", speech.model, *speech.files.values(), format="json", **speech.options)
    texts = [json.loads(line)["text"] for line in found.stdout.splitlines()]
    return dict(zip(speech.files, texts, strict=True)), found.stderr


def transcribed_directory(speech):
    """``transcribe`` of a data directory."""
    folder, _ = data_of(speech)
    found = run("transcribe", speech.model, folder, format="json", **speech.options)
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    return {line["recording"]: line["text"] for line in lines}, found.stderr


def decoded(speech):
    """``features`` and ``decode``."""
    folder, config = data_of(speech)
    said = run("features", folder, config=config, out=speech.folder / "feats", overwrite=True).stderr
    said += run("decode", speech.model, folder, speech.folder / "decoded", **speech.options).stderr
    return _texts(speech.folder / "decoded" / "text", speech)[0], said


def decoded_in_graph(speech):
    """Features within the TensorFlow graph, and ``decode`` of the posteriors."""
    from speechtl.features.in_graph import features_dataset

    folder, _ = data_of(speech)
    data, model = DataDir.load(folder), load_model(recogniser_path(speech.model))
    with write_ark_scp(speech.folder / "graph.ark", speech.folder / "graph.scp") as write:
        for element in features_dataset(data, model.features).as_numpy_iterator():
            features = element["features"][np.newaxis]
            lengths = np.array([features.shape[1]], np.int32)
            (posteriors,) = model.batch_posteriors(features, lengths, speech.language)
            write(element["id"].decode(), posteriors)
    run(
        "decode",
        speech.model,
        folder,
        speech.folder / "graph",
        posteriors=speech.folder / "graph.scp",
        **speech.options,
    )
    return _texts(speech.folder / "graph" / "text", speech)


def streamed(speech):
    """A stream of samples that still come in."""
    texts = {}
    for name, path in speech.files.items():
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        stream = recogniser_of(speech).stream(rate)
        updates = [update for block in np.array_split(samples[:, 0], 20) for update in stream.feed(block)]
        segments = [update.segment for update in updates + stream.finish() if update.final]
        texts[name] = " ".join(segment.text for segment in segments if segment.text)
    return texts, ""


def served(speech):
    """Uploads to ``speechtl serve``, by its own interface and OpenAI's, which agree."""
    from starlette.testclient import TestClient

    from speechtl.serve.app import make_app
    from speechtl.serve.served_model import ServedModel

    texts = {}
    model = ServedModel(str(speech.model), lambda name, speaker: recogniser_of(speech), None)
    with TestClient(make_app(model), base_url="http://localhost", headers={"Host": "localhost"}) as client:
        session = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
        for name, path in speech.files.items():
            content = path.read_bytes()
            texts[name] = client.post(f"{session}/transcripts", content=content).json()["text"]
            other = client.post("/v1/audio/transcriptions", files={"file": (path.name, io.BytesIO(content))})
            assert other.json() == {"text": texts[name]}
    return texts, ""


def by_tensorflow(speech):
    """The experiment directory that a model was exported from, or an export of an experiment directory: the other."""
    if (directory := model_path(speech.model)) != Path(speech.model):
        vocabulary = Vocabulary(lexicon=speech.lexicon, notation=speech.notation)
        recogniser = Recogniser(load_model(directory), vocabulary, RecogniserOptions(language=speech.language))
        texts = {name: recogniser.transcribe(path).text for name, path in speech.files.items()}
        return texts, ""
    run("export", speech.model, speech.folder / "model.speechtl", precision="float32")
    return transcribed(speech._replace(model=str(speech.folder / "model.speechtl")))


PATHS = {
    "transcribe": transcribed,
    "features, decode": decoded,
    "features in the graph, decode": decoded_in_graph,
    "transcribe a data directory": transcribed_directory,
    "stream": streamed,
    "serve": served,
    "experiment directory": by_tensorflow,
}
