"""Signatures of manifests, checked with the package model-signing and a key of our own; no network, no certificate authority."""

import tempfile
from pathlib import Path

from loader.errors import MissingPackageError, SourceError
from loader.releases.release import HASH_FILE

SIGNATURE_FILE = "model.sig"


def require_signature(manifest: bytes, signature: bytes, public_key: Path, source: str) -> None:
    """Raise unless `signature` is one of `manifest` by the owner of `public_key`.

    Raises:
        MissingPackageError: model-signing is not installed.
        SourceError: the signature is another one, or none at all.
    """
    try:
        from model_signing import verifying
    except ImportError as error:
        raise MissingPackageError(
            "releases.public_key is set, and signatures need model-signing: install the `signing` extra"
        ) from error
    if not public_key.is_file():
        raise SourceError(f"releases.public_key: {public_key}: no such file")
    with tempfile.TemporaryDirectory() as folder:
        signed, proof = Path(folder, HASH_FILE), Path(folder, SIGNATURE_FILE)
        signed.write_bytes(manifest)
        proof.write_bytes(signature)
        try:
            verifying.Config().use_elliptic_key_verifier(public_key=public_key).verify(signed, proof)
        except Exception as error:  # the package raises whatever its parsers raise
            raise SourceError(
                f"{source}/{SIGNATURE_FILE}: not a signature of {HASH_FILE} by the key {public_key} "
                f"({type(error).__name__}); sign again: model_signing sign key {HASH_FILE} --signature {SIGNATURE_FILE} ..."
            ) from error
