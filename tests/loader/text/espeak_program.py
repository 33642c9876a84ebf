"""The `espeak-ng` command over the packaged library: `espeak_program.py LIBRARY DATA ARGUMENTS...`.

Coqui calls this command; the packages contain the library only. This program makes the same calls as the command's
source of 1.52: phonemes are a trace of silent synthesis, not the result of `espeak_TextToPhonemes`. It supports the arguments
that Coqui passes. It imports only ctypes, because tests start it hundreds of times.
"""

import ctypes
import sys

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_POS_CHARACTER = 1
# Options of the command: characters as they come, phonemes in [[ ]], a pause at the end; and -b 1: UTF-8.
_SYNTH_FLAGS = 0 | 0x100 | 0x1000 | 1
# --ipa=1: IPA, "_" between phonemes.
_TRACE_MODE = 0x02 | ord("_") << 8


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("languages", ctypes.POINTER(ctypes.c_char)), ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte), ("age", ctypes.c_ubyte), ("variant", ctypes.c_ubyte), ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int), ("spare", ctypes.c_void_p),
    ]  # fmt: skip


def open_library(path, data):
    library = ctypes.CDLL(path)
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    library.espeak_SetPhonemeTrace.argtypes = [ctypes.c_int, ctypes.c_void_p]
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    if library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), 0) <= 0:
        sys.exit(f"no espeak-ng data in {data}")
    return library


def print_voices(library):
    """Print the first language of every voice, in the command's columns."""
    print("Pty Language       Age/Gender VoiceName          File                 Other Languages")
    voices = library.espeak_ListVoices(None)
    index = 0
    while voices[index]:
        voice = voices[index].contents
        language = ctypes.cast(ctypes.addressof(voice.languages.contents) + 1, ctypes.c_char_p).value.decode()
        name = voice.name.decode().replace(" ", "_")
        print(f" 5  {language:<15} --/-      {name:<18} {voice.identifier.decode():<20} ")
        index += 1


def speak(library, language, path):
    """Write the phonemes of the file to standard output, as `-q -b 1 -v LANGUAGE --ipa=1 -f PATH` does."""
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(lambda *_: 0)
    library.espeak_SetSynthCallback(callback)
    wanted = _Voice(languages=ctypes.create_string_buffer(language.encode()))
    named = library.espeak_SetVoiceByName(language.encode()) == 0
    if not named and library.espeak_SetVoiceByProperties(ctypes.byref(wanted)) != 0:
        sys.exit("Error: The specified espeak-ng voice does not exist.")
    c_library = ctypes.CDLL(None)
    library.espeak_SetPhonemeTrace(_TRACE_MODE, ctypes.c_void_p.in_dll(c_library, "stdout"))
    with open(path, "rb") as file:
        text = file.read()
    library.espeak_Synth(text, len(text) + 1, 0, _POS_CHARACTER, 0, _SYNTH_FLAGS, None, None)
    library.espeak_Synchronize()
    c_library.fflush(None)


def main(library_path, data, *arguments):
    library = open_library(library_path, data)
    arguments = list(arguments)
    if arguments == ["--version"]:
        print(f"eSpeak NG text-to-speech: {library.espeak_Info(None).decode()}  Data at: {data}")
    elif arguments == ["-q", "-b", "1", "--voices"]:
        print_voices(library)
    elif arguments[:4] == ["-q", "-b", "1", "-v"] and arguments[5:7] == ["--ipa=1", "-f"] and len(arguments) == 8:
        speak(library, arguments[4], arguments[7])
    else:
        sys.exit(f"not an argument list of Coqui's: {arguments}")


if __name__ == "__main__":
    main(*sys.argv[1:])
