"""Command lines: argparse whose errors are one line, and the arguments every RECIPE verb shares."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from lasasr.cli.other_names import our_name
from lasasr.configuration.loading import loading
from lasasr.errors import UsageError, nearest


class Parser(argparse.ArgumentParser):
    """`ArgumentParser` for one verb: no abbreviations, and `UsageError` instead of usage text and exit."""

    def __init__(self, verb: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"lasasr {verb}",
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong; an unknown option names those like it."""
        unknown = re.search(r"unrecognized arguments: (-\S*)", message)
        if unknown:
            known = [option for option in self._option_string_actions if option.startswith("--")]
            message = f"unknown option {unknown[1]}; {self._meant(unknown[1]) or nearest(unknown[1], known)}"
        raise UsageError(f"{message} ({self.prog} --help)")

    def _meant(self, option: str) -> str:
        """What an option is that other toolkits have, or that is written as one but is a key."""
        name = option.strip("-").partition("=")[0]
        if not any(action.dest == "overrides" for action in self._actions):
            return ""
        key = our_name(name) or (name if "." in name or name == "seed" else "")
        return "" if not key else f"here it is {key}" + ("=..., without dashes" if "--" not in key else "")

    def read(self, arguments: list[str]) -> argparse.Namespace:
        """Parse; options may stand between positional arguments."""
        return self.parse_intermixed_args(arguments)


def add_device(parser: Parser, default: str = "cpu") -> None:
    """Add --device."""
    parser.add_argument("--device", default=default, help=f"cpu, cuda, cuda:1 or auto (default: {default})")


def usable(device: str) -> str:
    """`device`, on which torch can make a tensor; of "auto" cuda where there is one, else cpu.

    Raises:
        UsageError: it is the name of no device.
        LasasrError: there is none, or its driver is missing.
    """
    with loading():
        from lasasr.nn import devices

    return devices.usable(device, "--device ")


def add_recipe(parser: Parser, optional: bool = False) -> None:
    """Add RECIPE, its overrides, and Hydra's --cfg, --package, --resolve and --info.

    Args:
        optional: RECIPE may be missing (`train --resume RUN`).
    """
    parser.add_argument("recipe", metavar="RECIPE", nargs="?" if optional else None, help="a name or a yaml file")
    parser.add_argument("overrides", metavar="override", nargs="*", default=[], help="key=value, in Hydra's grammar")
    group = parser.add_argument_group("to look at the configuration instead")
    group.add_argument("--cfg", choices=("job", "hydra", "all"), help="print the composed configuration")
    group.add_argument("--package", metavar="KEY", help="with --cfg: only what is below KEY")
    group.add_argument("--resolve", action="store_true", help="with --cfg: interpolations replaced by their values")
    group.add_argument(
        "--info",
        nargs="?",
        const="all",
        choices=("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
        help="print how it was composed (put it after the overrides)",
    )
