"""A small model for the Chinese word segmenter: `python -m tests.loader.text.segmenter HOME`.

Coqui downloads a model of 180 MB at first use. This one is trained on a few sentences by the segmenter's
own trainer, and put in the place of the other.
"""

import sys
import tempfile
from pathlib import Path

from tests.loader.text.asian import SEGMENTED


def main(home: Path) -> None:
    import spacy_pkuseg

    model = home / "spacy_ontonotes"
    with tempfile.TemporaryDirectory() as folder:
        lessons = Path(folder) / "lessons.txt"
        lessons.write_text("\n".join(SEGMENTED * 5) + "\n", encoding="utf-8")
        spacy_pkuseg.train(str(lessons), str(lessons), str(model), train_iter=2)
    # The segmenter downloads a model without an archive beside it.
    (home / "spacy_ontonotes.zip").touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
