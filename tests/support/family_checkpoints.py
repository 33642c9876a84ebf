"""Random Coqui checkpoints: `python -m tests.support.family_checkpoints FAMILY DIRECTORY` writes a sealed release of any family.

Small, but real: Coqui's own classes and configurations, in the formats of Coqui's trainer. Run as a program, so that
the test process does not import torch.
"""

import json
import subprocess
import sys
from pathlib import Path

from loader.artifacts.resolve import locate_artifact
from loader.config.settings import load_settings
from loader.releases.release import HASH_FILE
from loader.storage.store import Store

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "tests" / ".cache"
#: Version of these releases; raise it when their content changes.
_VERSION = 1

#: Coqui's families, with different vocoders and ways to select a speaker.
FAMILIES = (
    "align_tts",
    "fast_pitch",
    "fastspeech2",
    "glow_tts",
    "neuralhmm_tts",
    "overflow",
    "speedy_speech",
    "tacotron",
    "tacotron2",
    "xtts",
)
SPEAKERS = ("ana", "ben", "cleo")
#: A tone in a file of this name is a reference recording of the XTTS release.
RECORDED = "tone"
#: Configurations name files in a folder of the training machine, which does not exist here.
TRAINED_IN = "/home/trainer/output"
_SPEAKER_CHANNELS = 12
_THIN_TRANSFORMER = {"hidden_channels_ffn": 48, "num_heads": 2, "num_layers": 2, "dropout_p": 0.1}
_THIN_CONVOLUTIONS = {"kernel_size": 4, "dilations": [1, 2, 1], "num_conv_blocks": 2, "num_res_blocks": 3}


def family_releases() -> dict[str, Path]:
    """Return a sealed release of every family, kept in tests/.cache; missing ones are written by one process."""
    releases = Store(CACHE / "releases", proof=HASH_FILE)
    if not all(releases.find(_key(family)) for family in FAMILIES):
        subprocess.run([sys.executable, "-m", "tests.support.family_checkpoints"], cwd=ROOT, check=True, capture_output=True)
    return {family: CACHE / "releases" / _key(family) for family in FAMILIES}


def family_artifacts(directory: Path) -> dict[str, Path]:
    """Return the baked artifact of every family; `directory` gets a configuration."""
    path = directory / "families.yaml"
    voices = [{"name": family, "model_path": str(release)} for family, release in family_releases().items()]
    path.write_text(json.dumps({"voices": voices, "cache_dir": str(CACHE)}))
    settings = load_settings(path)
    return {voice.name: locate_artifact(voice, settings) for voice in settings.voices}


def _key(family: str) -> str:
    return f"family-{family}-{_VERSION}"


def _publish_releases() -> None:
    releases = Store(CACHE / "releases", proof=HASH_FILE)
    for family in FAMILIES:
        releases.publish(_key(family), lambda directory, family=family: write_family_release(family, directory))


def write_family_release(family: str, directory: Path) -> None:
    """Write all files of a release of this family, and seal it."""
    from loader.engines.compat.coqui_package import import_coqui
    from loader.releases.sealing import seal_release

    import_coqui()
    import torch

    torch.manual_seed(7)
    directory.mkdir(parents=True, exist_ok=True)
    if family == "xtts":
        from tests.support.xtts_checkpoint import write_xtts

        write_xtts(directory)
    else:
        _write_model(family, directory)
        _write_vocoder(family, directory)
    seal_release(directory, f"random-{family}", sorted(path.name for path in directory.iterdir()))


def fill(module: object) -> None:
    """Give layers that Coqui initializes with zeros small random weights, so that errors in them are noticed."""
    import torch

    with torch.no_grad():
        for parameter in module.parameters():  # type: ignore[attr-defined]
            if not parameter.any():
                parameter.normal_(0.0, 0.02)


def _write_model(family, directory):
    import torch
    from TTS.tts.models import setup_model

    config = _config(family, directory)
    config.save_json(str(directory / "config.json"))
    text = (directory / "config.json").read_text()
    (directory / "config.json").write_text(text.replace(str(directory), TRAINED_IN))
    model = setup_model(config)
    fill(model)
    state = model.state_dict()
    for name in state:
        if name.endswith(("duration_predictor.proj.bias", "duration_predictor.layers.3.bias")):
            state[name].fill_(1.6)  # four frames an id
        if family == "tacotron2" and "stopnet" in name and name.endswith("bias"):
            state[name].fill_(-20)
    if family in ("overflow", "neuralhmm_tts"):
        state |= {"mean": torch.tensor(-5.25), "std": torch.tensor(2.5)}
    torch.save({"model": state, **({"r": 2} if family == "tacotron" else {})}, directory / "model_file.pth")


def _config(family, directory):
    from TTS.config import register_config

    config = register_config(family)(
        run_name=family, text_cleaner="english_cleaners", use_phonemes=False, add_blank=False,
        enable_eos_bos_chars=family != "glow_tts",
    )  # fmt: skip
    _FAMILY_SETTINGS[family](config, directory)
    return config


def _glow_tts(config, directory):
    """Phonemes, blanks and a speaker embedding."""
    config.text_cleaner, config.use_phonemes, config.phonemizer = "phoneme_cleaners", True, "espeak"
    config.phoneme_language, config.add_blank = "en-us", True
    config.hidden_channels_enc = config.hidden_channels_dec = config.hidden_channels_dp = 32
    config.encoder_params |= {"hidden_channels_ffn": 48, "num_layers": 2, "num_heads": 2}
    config.num_flow_blocks_dec, config.num_block_layers, config.inference_noise_scale = 3, 2, 0.5
    config.use_speaker_embedding, config.speakers_file = True, str(directory / "speakers.json")
    (directory / "speakers.json").write_text(json.dumps({name: row for row, name in enumerate(SPEAKERS)}))


def _forward_tts(config, directory):
    arguments = config.model_args
    arguments.hidden_channels = 32
    arguments.encoder_params, arguments.decoder_params = dict(_THIN_TRANSFORMER), dict(_THIN_TRANSFORMER)
    arguments.duration_predictor_hidden_channels = arguments.pitch_predictor_hidden_channels = 32
    arguments.energy_predictor_hidden_channels = 32


def _fast_pitch(config, directory):
    """Speaker vectors, two recordings of each."""
    import torch

    _forward_tts(config, directory)
    vectors = torch.randn(2 * len(SPEAKERS), _SPEAKER_CHANNELS).tolist()
    clips = {f"clip{row}": {"name": SPEAKERS[row // 2], "embedding": vector} for row, vector in enumerate(vectors)}
    (directory / "d_vectors.json").write_text(json.dumps(clips))
    config.use_d_vector_file, config.d_vector_file = True, str(directory / "d_vectors.json")
    config.d_vector_dim = config.model_args.d_vector_dim = _SPEAKER_CHANNELS


def _speedy_speech(config, directory):
    config.model_args.hidden_channels = 32
    config.model_args.encoder_params, config.model_args.decoder_params = dict(_THIN_CONVOLUTIONS), dict(_THIN_CONVOLUTIONS)
    config.model_args.duration_predictor_hidden_channels = 32


def _align_tts(config, directory):
    arguments = config.model_args
    arguments.hidden_channels = arguments.hidden_channels_dp = 32
    arguments.encoder_params, arguments.decoder_params = dict(_THIN_TRANSFORMER), dict(_THIN_TRANSFORMER)


def _tacotron(config, directory):
    """Linear spectrograms and Griffin-Lim, and a reduction factor that is only in the checkpoint."""
    config.r, config.max_decoder_steps, config.out_channels = 5, 20, 513
    config.prenet_dropout_at_inference = True
    config.audio.griffin_lim_iters = 10


def _tacotron2(config, directory):
    """Mel spectrograms scaled by statistics; a decoder that does not stop by itself."""
    import numpy as np

    config.r, config.max_decoder_steps, config.double_decoder_consistency = 1, 60, True
    config.prenet_dropout_at_inference = True
    path = directory / "scale_stats.npy"
    # Coqui's own program writes a dictionary in an array, and so a pickle.
    statistics = {"mel_mean": np.linspace(-60, -30, 80), "mel_std": np.linspace(5, 20, 80)}
    statistics |= {"linear_mean": np.zeros(513), "linear_std": np.ones(513), "audio_config": {}}
    np.save(path, statistics, allow_pickle=True)
    config.audio.stats_path = str(path)


def _overflow(config, directory):
    config.encoder_in_out_features, config.memory_rnn_dim, config.prenet_dim = 32, 64, 32
    config.outputnet_size, config.max_sampling_time, config.hidden_channels_dec = [48], 900, 32
    config.num_flow_blocks_dec, config.num_block_layers = 3, 2


def _neuralhmm_tts(config, directory):
    config.encoder_in_out_features, config.memory_rnn_dim, config.prenet_dim = 32, 64, 32
    config.outputnet_size, config.max_sampling_time, config.sampling_temp = [48], 900, 0.5


_FAMILY_SETTINGS = {
    "align_tts": _align_tts,
    "fast_pitch": _fast_pitch,
    "fastspeech2": _forward_tts,
    "glow_tts": _glow_tts,
    "neuralhmm_tts": _neuralhmm_tts,
    "overflow": _overflow,
    "speedy_speech": _speedy_speech,
    "tacotron": _tacotron,
    "tacotron2": _tacotron2,
}


def _write_vocoder(family, directory):
    import torch
    from TTS.config import register_config
    from TTS.vocoder.models import setup_discriminator, setup_generator

    kind = {"glow_tts": "parallel_wavegan", "fast_pitch": "multiband_melgan", "tacotron": None}.get(family, "hifigan")
    if kind is None:
        return
    config = register_config(kind)()
    _VOCODER_SETTINGS[kind](config)
    if family == "fastspeech2":
        config.audio.sample_rate = 24000  # so that the spectrogram has to be stretched for it
    generator = setup_generator(config)
    fill(generator)
    if kind != "multiband_melgan":  # as older versions of Coqui wrote vocoders; HiFi-GAN's discriminator is 280 MB
        checkpoint = {"model": generator.state_dict(), "model_disc": {}}
    else:
        both = {"model_g": generator, "model_d": setup_discriminator(config)}
        checkpoint = {"model": {f"{part}.{name}": each for part in both for name, each in both[part].state_dict().items()}}
    torch.save(checkpoint, directory / "vocoder.pth")
    config.save_json(str(directory / "vocoder_config.json"))


def _hifigan(config):
    config.generator_model_params |= {
        "upsample_initial_channel": 32, "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3, 5]],
    }  # fmt: skip


def _parallel_wavegan(config):
    """Starts from its own noise."""
    config.generator_model_params |= {"num_res_blocks": 6}


def _multiband_melgan(config):
    config.generator_model_params |= {"num_res_blocks": 1}
    config.discriminator_model_params |= {"base_channels": 4, "max_channels": 8}


_VOCODER_SETTINGS = {"hifigan": _hifigan, "parallel_wavegan": _parallel_wavegan, "multiband_melgan": _multiband_melgan}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_family_release(sys.argv[1], Path(sys.argv[2]))
    else:
        _publish_releases()
