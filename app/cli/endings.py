"""How a command ends: one line on standard error, a documented status, never a traceback for what was foreseen."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from loader.errors import LoaderError

#: The number of sysexits.h for a command line that is wrong.
USAGE = 64


class CannotWriteError(LoaderError):
    """What was to be written cannot be written there."""

    exit_status = 73


class NotInstalledError(LoaderError):
    """Something that this command needs is not on this machine."""

    exit_status = 69


class Problems:
    """Collects what went wrong with some of many things, so that the rest is still done."""

    def __init__(self) -> None:
        self._status: int | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Say a reported error on standard error and go on."""
        try:
            yield
        except LoaderError as error:
            print(f"chorus: {error}", file=sys.stderr, flush=True)
            self._status = self._status or error.exit_status

    def end(self) -> None:
        """End the process with the first problem's status, if there was one."""
        if self._status is not None:
            sys.exit(self._status)


@contextmanager
def ended_clearly() -> Iterator[None]:
    """End the process as documented on whatever ends a command."""
    try:
        try:
            yield
        finally:
            # However it ends: what is left in the buffer when the interpreter ends is its complaint, and status 120.
            sys.stdout.flush()
    except BrokenPipeError:
        _stop_writing()
        sys.exit(0)
    except click.UsageError as error:
        print(_usage(error), file=sys.stderr)
        sys.exit(USAGE)
    except (LoaderError, OSError, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt):
            # What follows takes a moment, and a second Ctrl-C in it would be a traceback.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Late: it brings the configuration's libraries, which only a failing command then waits for.
        from app.startup import one_clear_message

        with one_clear_message():
            raise


def _stop_writing() -> None:
    """Let what is still buffered go nowhere; the interpreter would complain of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _usage(error: click.UsageError) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    context = error.ctx or click.get_current_context(silent=True)
    if isinstance(error, click.BadOptionUsage) and (metavar := _metavar(error.option_name, context)):
        return f"chorus: {error.option_name} needs a {metavar}"
    more = f"; {error.ctx.command_path} --help says more" if error.ctx else ""
    return f"chorus: {error.format_message().rstrip('.')}{more}"


def _metavar(option: str, context: click.Context | None) -> str | None:
    """Return what the running command's `option` takes; None where it takes nothing."""
    if context is None:
        return None
    command: click.Command | None = context.command
    if isinstance(command, click.Group) and context.invoked_subcommand:
        command = command.get_command(context, context.invoked_subcommand)
    for parameter in command.params if command else []:
        if isinstance(parameter, click.Option) and option in parameter.opts and not parameter.is_flag:
            return parameter.make_metavar(context)
    return None
