"""Errors of commands: one line on standard error and a documented exit status; a traceback only for a defect."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.cli.interruption import interruptible
from loader.errors import LoaderError

#: The number of sysexits.h for a wrong command line.
USAGE = 64


class CannotWriteError(LoaderError):
    """The output cannot be written to its destination."""

    exit_status = 73


class NotInstalledError(LoaderError):
    """This machine lacks something that the command needs."""

    exit_status = 69


class Problems:
    """Errors of a command with several voices: each is printed, and the command continues with the other voices."""

    def __init__(self) -> None:
        self._status: int | None = None

    @contextmanager
    def report(self) -> Iterator[None]:
        """Print a reported error on standard error and go on."""
        try:
            yield
        except LoaderError as error:
            print(f"chorus: {error}", file=sys.stderr, flush=True)
            self._status = self._status or error.exit_status

    def end(self) -> None:
        """Exit with the status of the first problem, if there was one."""
        if self._status is not None:
            sys.exit(self._status)


@contextmanager
def exit_clearly() -> Iterator[None]:
    """Exit with the documented status, however a command ends."""
    try:
        with interruptible():
            try:
                yield
            finally:
                # Otherwise the interpreter prints an error about unflushed output and exits with 120.
                sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        sys.exit(0)
    except click.UsageError as error:
        print(_usage(error), file=sys.stderr)
        sys.exit(USAGE)
    except (LoaderError, OSError, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt):
            # The import below takes time, and a second Ctrl-C during it would print a traceback.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Late: it imports the configuration's libraries.
        from app.startup import one_clear_message

        with one_clear_message():
            raise


def _discard_output() -> None:
    """Send buffered output to /dev/null: otherwise the interpreter prints an error about it at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _usage(error: click.UsageError) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    context = error.ctx or click.get_current_context(silent=True)
    if isinstance(error, click.BadOptionUsage) and (metavar := _metavar(error.option_name, context)):
        return f"chorus: {error.option_name} needs a {metavar}"
    more = f"; see {error.ctx.command_path} --help" if error.ctx else ""
    return f"chorus: {error.format_message().rstrip('.')}{more}"


def _metavar(option: str, context: click.Context | None) -> str | None:
    """Return the metavar of an option of the running command; None for a flag."""
    if context is None:
        return None
    command: click.Command | None = context.command
    if isinstance(command, click.Group) and context.invoked_subcommand:
        command = command.get_command(context, context.invoked_subcommand)
    for parameter in command.params if command else []:
        if isinstance(parameter, click.Option) and option in parameter.opts and not parameter.is_flag:
            return parameter.make_metavar(context)
    return None
