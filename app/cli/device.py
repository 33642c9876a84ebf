"""`chorus device`: the marker that keeps every process from a device whose memory was full."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.options import config_option

if TYPE_CHECKING:
    from loader.config.settings import Settings
    from loader.devices.marker import Fallback, Marker


@click.group(invoke_without_command=True, short_help="Show or reset what keeps a device from being used.")
@click.pass_context
@config_option
def device(context: click.Context, config: Path) -> None:
    """Say whether the configured device is in use, and why not.

    When a device's memory was full, a marker in the cache folder keeps every process from it,
    and voices speak on the CPU instead, until the marker is reset or expires
    (`device_retry_after_s`).

    \b
    chorus device
    chorus device reset
    """
    from loader.config.settings import load_settings

    context.obj = load_settings(config)
    if context.invoked_subcommand is None:
        context.invoke(show)


@device.command()
@click.pass_obj
def show(settings: "Settings") -> None:
    """Say which device is used, or since when, why and until when it is not."""
    fallback = _marker(settings).read()
    if fallback is None:
        print(f"{settings.device}: as configured; no marker keeps any process from a device")
        return
    print(f"{fallback.device}: left alone since {fallback.when}")
    print(f"why: {fallback.why}")
    print(f"free then: {_free(fallback)}")
    print(f"meaning: every voice speaks on the CPU {_until(fallback, settings.device_retry_after_s)}")


@device.command()
@click.pass_obj
def reset(settings: "Settings") -> None:
    """Remove the marker, so that the device is tried again."""
    from loader.errors import StoreError

    marker = _marker(settings)
    try:
        cleared = marker.reset()
    except OSError as error:
        raise StoreError(f"{marker.path}: cannot be removed ({error}); remove it by hand") from error
    if cleared is None:
        print("nothing to clear: no marker keeps any process from a device")
    else:
        print(f"cleared: {cleared.device}, left alone since {cleared.when} ({cleared.why}); it is tried again from now on")


def _marker(settings: "Settings") -> "Marker":
    from loader.devices.marker import Marker

    return Marker(settings.cache_dir, settings.device_retry_after_s)


def _free(fallback: "Fallback") -> str:
    from app.cli.figures import megabytes

    return "not known" if fallback.free_bytes is None else megabytes(fallback.free_bytes)


def _until(fallback: "Fallback", retry_after_s: float | None) -> str:
    if retry_after_s is None:
        return "until you run: chorus device reset"
    over = datetime.fromtimestamp(fallback.at_s + retry_after_s, UTC).isoformat(timespec="seconds")
    return f"until {over}, or until you run: chorus device reset"
