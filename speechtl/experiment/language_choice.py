"""Which language of a model is meant, and whether it is a new one, whose phones those of a lexicon are."""

from speechtl.experiment.speech_model import SpeechModel
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

# The head that a model gets for the phones of a lexicon of an unnamed language; no language code.
NEW_LANGUAGE = "lexicon"


def is_new(model: SpeechModel, wanted: str | None, *, lexicon: bool) -> bool:
    """Whether a language is none of a model's, and may be one all the same since the model scores any phone.

    It is a language that the model lacks; or an unnamed one with a lexicon, if the model has several languages and does
    not recognise which is spoken.

    Args:
        model: the model.
        wanted: the language that is named, or None.
        lexicon: whether there is a lexicon of it.
    """
    if not model.scores_any_phone:
        return False
    if wanted is not None:
        return not model.has_head(wanted)
    return lexicon and len(model.languages) > 1 and not model.recognised_languages


def open_language(model: SpeechModel, wanted: str | None, lexicon: Lexicon | None) -> str:
    """Return the language that is meant; a new one gets a head for the phones of its lexicon.

    Args:
        model: the model, to which a head may be added.
        wanted: the language that is named, or None.
        lexicon: that was given, in IPA; None for the model's own.

    Raises:
        ModelError: the language is none of the model's, which scores the phones of its languages alone or has no
            lexicon to take others from; or it has several and none was named.
        LexiconError: phones that are not IPA.
    """
    if lexicon is None or not is_new(model, wanted, lexicon=True):
        return model.language(wanted)
    name = wanted or NEW_LANGUAGE
    model.add_language(name, PhoneInventory(sorted(lexicon.phones())))
    return name
