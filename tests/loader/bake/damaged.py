"""Damaged releases with a valid seal, and the errors of loading them."""

import json

from loader.releases.sealing import seal_release
from tests.loader.children import answer_of, run_program


def configure(release, change):
    """Change config.json, and seal the release again as its maker would."""
    config = json.loads((release / "config.json").read_text())
    change(config)
    (release / "config.json").write_text(json.dumps(config))
    seal_release(release, "1", ["config.json", "model_file.pth"])


def damage_weights(sources):
    """Run each source with the checkpoint of its release as `weights`, save the result, and seal the release again."""
    done = run_program("""
        import json, sys
        import torch
        for directory, source in json.loads(sys.argv[1]).items():
            path = f"{directory}/model_file.pth"
            scope = {"weights": torch.load(path, map_location="cpu", weights_only=True)["model"], "torch": torch}
            exec(source, scope)
            torch.save({"model": scope["weights"]}, path)
        """, json.dumps({str(directory): source for directory, source in sources.items()}))
    assert done.returncode == 0, done.stderr
    for directory in sources:
        seal_release(directory, "1", ["config.json", "model_file.pth"])


def set_keys(**changes):
    """Return a change of config.json: `key=value`, or `outer__key=value`."""

    def change(config):
        for key, value in changes.items():
            where, _, inner = key.rpartition("__")
            (config[where] if where else config)[inner] = value

    return change


def error_line(done):
    """Return the line with the error of a finished command."""
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("chorus: ")
    return line


def errors_of_loading(releases):
    """Load every release below a folder in one child; return status and message of each, None if it loads."""
    return answer_of("""
        import json, sys
        from pathlib import Path
        from loader.engines.compat.coqui_package import import_coqui
        from loader.bake.vits import load_vits
        from loader.bake.tokenizer import text_facts
        from loader.errors import LoaderError
        from loader.releases.release import open_release
        import_coqui()
        errors = {}
        for directory in Path(sys.argv[1]).iterdir():
            try:
                text_facts(load_vits(open_release(directory)))
                errors[directory.name] = None
            except LoaderError as error:
                errors[directory.name] = error.exit_status, str(error)
        print(json.dumps(errors))
        """, releases)
