"""``python -m megatron.embedded``: start the house, or run a command with the embedded services."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from megatron.embedded.account import OUTSIDE, NoAccount, find_home
from megatron.embedded.keeper import is_kept, keep
from megatron.embedded.postgres import CannotStart
from megatron.embedded.services import Hold, await_stop, missing_services, pin, unpin
from megatron.embedded.state import VARIABLES, services_dir

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run one command. Wrong settings and what cannot start end in a sentence and code 2, a server that is away in 75."""
    _fill_descriptors()
    arguments = _parser().parse_args()
    if arguments.command == "keep":
        return keep(arguments.root, arguments.service)
    from megatron.embedded import preflight  # noqa: PLC0415  # the keepers need neither a driver nor Django

    preflight.read_dotenv(ROOT)
    try:
        match arguments.command:
            case "run":
                from megatron.embedded.house import run  # noqa: PLC0415  # only this command needs it

                return run(ROOT, with_parent=arguments.with_parent)
            case "with":
                preflight.check_addresses()
                return _with(arguments.words)
            case "up":
                return _up()
            case "down":
                return _down()
            case _:
                return _clean_data(sure=arguments.yes)
    except preflight.Unusable as error:
        print(error, file=sys.stderr)
        return error.code
    except (CannotStart, NoAccount) as error:
        print(error, file=sys.stderr)
    except PermissionError as error:
        print(
            f"{error.filename} belongs to another user, who ran Megatron from this checkout before: use that account, "
            "or a checkout of your own.",
            file=sys.stderr,
        )
    return 2


def _fill_descriptors() -> None:
    """Keep files of ours off the descriptors 0 to 2 where the caller closed one; a program that replaces us finds it closed."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:  # not inheritable
        pass
    os.close(free)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m megatron.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="services, migrations, seeds, web, worker and beat until Ctrl-C")
    run.add_argument("--with-parent", action="store_true", help="also stop when whoever started this is gone")
    wrap = commands.add_parser("with", help="run a command while the services that the environment lacks are up")
    wrap.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    commands.add_parser("up", help="start the services and leave them up")
    commands.add_parser("down", help="stop the services as soon as nobody uses them")
    clean = commands.add_parser("clean-data", help="remove the embedded services' data, after asking")
    clean.add_argument("--yes", action="store_true", help="do not ask")
    keeper = commands.add_parser("keep", help="(internal) run one service while somebody holds it")
    keeper.add_argument("service", choices=sorted(VARIABLES))
    keeper.add_argument("root", type=Path)
    return parser


def _with(words: list[str]) -> int:
    if not words:
        raise CannotStart("Say which command to run.")
    hold = Hold(ROOT, missing_services())
    hold.take()
    hold.bequeath()
    os.execvp(words[0], words)  # the claim on the services ends with that program


def _up() -> int:
    hold = Hold(ROOT, VARIABLES)
    hold.take()
    for name in hold.names:
        pin(ROOT, name)
        print(f"{name} is up; its address is in {services_dir(ROOT) / name}.json")
    return 0


def _down() -> int:
    running = [name for name in VARIABLES if is_kept(ROOT, name)]
    for name in VARIABLES:
        unpin(ROOT, name)
    left = await_stop(ROOT, running, seconds=10)
    for name in running:
        print(f"{name} stays up until its last user ends" if name in left else f"{name} is down")
    if not running:
        print("nothing was up")
    return 0


def _clean_data(*, sure: bool) -> int:
    if [name for name in VARIABLES if is_kept(ROOT, name)]:
        raise CannotStart("The embedded services are up: stop `make run`, then `make services-down`, and try again.")
    home = find_home(ROOT).path
    print(f"This removes the embedded database and everything in it, below {home}. It cannot be undone.")
    if not sure:
        try:
            sure = input("Type 'remove' to go on: ").strip() == "remove"
        except EOFError:
            sure = False
    if not sure:
        print("Nothing was removed.")
        return 1
    for name in VARIABLES:
        shutil.rmtree(home / name, ignore_errors=True)
    if home.parent == OUTSIDE:
        shutil.rmtree(home, ignore_errors=True)
    print("Removed; the next `make run` starts anew.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
