"""VITS inference that both engines share: numpy, no network library."""
