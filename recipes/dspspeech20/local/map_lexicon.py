"""Write a lexicon with the phones of a model: those that it lacks are replaced by the nearest that it has.

    python local/map_lexicon.py LEXICON exp/MODEL/phones/LANGUAGE.txt --out FILE [--tone keep|drop]

Prints what was replaced.
"""

import argparse
from pathlib import Path

from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_mapping import map_lexicon
from speechtl.lang.phones import PhoneInventory


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a lexicon with the phones of a model.")
    parser.add_argument("lexicon", type=Path, help="pronunciations in IPA")
    parser.add_argument("phones", type=Path, help="the model's phones")
    parser.add_argument("--out", type=Path, required=True, help="file of the new lexicon")
    parser.add_argument("--tone", choices=("keep", "drop"), default="keep", help="as in the training")
    arguments = parser.parse_args()
    lexicon = Lexicon.load(arguments.lexicon, tone=arguments.tone)
    mapped, replaced = map_lexicon(lexicon, PhoneInventory.load(arguments.phones))
    mapped.save(arguments.out)
    said = ", ".join(f"{phone} by {other or 'nothing'}" for phone, other in sorted(replaced.items()))
    print(f"{arguments.out}: {len(mapped)} words; replaced: {said or 'nothing'}")


if __name__ == "__main__":
    main()
