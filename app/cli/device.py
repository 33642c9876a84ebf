"""`chorus device`: the marker that keeps every process off a device whose memory was full."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import config_option

if TYPE_CHECKING:
    from loader.config.settings import Settings
    from loader.devices.disabled_flag import DisabledFlag, Fallback


@click.group(invoke_without_command=True, short_help="Show or reset the marker of a full device.")
@click.pass_context
@config_option
def device(context: click.Context, config: Path) -> None:
    """Print whether the configured device is in use, and if not, why.

    When the memory of a device was full, a marker in the cache folder keeps every process off
    the device. Voices speak on the CPU until the marker is reset or expires
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
    """Print the device in use, or since when, why and until when it is not used."""
    from app.cli.output import megabytes

    fallback = _marker(settings).read()
    if fallback is None:
        print(f"{settings.device}: as configured; there is no marker")
        return
    free = "unknown" if fallback.free_bytes is None else megabytes(fallback.free_bytes)
    print(f"{fallback.device}: not used since {fallback.when}")
    print(f"reason: {fallback.why}")
    print(f"free memory then: {free}")
    print(f"effect: every voice speaks on the CPU {_until(fallback, settings.device_retry_after_s)}")


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
        print("nothing to reset: there is no marker")
    else:
        print(f"reset: {cleared.device}, not used since {cleared.when} ({cleared.why}), is tried again from now on")


def _marker(settings: "Settings") -> "DisabledFlag":
    from loader.devices.disabled_flag import DisabledFlag

    return DisabledFlag(settings.cache_dir, settings.device_retry_after_s)


def _until(fallback: "Fallback", retry_after_s: float | None) -> str:
    if retry_after_s is None:
        return "until you run: chorus device reset"
    end = datetime.fromtimestamp(fallback.at_s + retry_after_s, UTC).isoformat(timespec="seconds")
    return f"until {end}, or until you run: chorus device reset"
