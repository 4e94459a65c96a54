"""docs/commands.md: every verb with every argument, made from the parsers of the command.

python scripts/commands_table.py            print it
python scripts/commands_table.py --write    put it into docs/commands.md
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from typing import Final
from unittest import mock

from generated import ROOT, GeneratedPage, Row, cell, table

from lasasr.cli.arguments import Parser
from lasasr.cli.main import MODULES, VERBS

TITLES: Final = ("argument", "takes", "meaning")
OWN: Final = ("positional arguments", "options")  # as argparse calls the groups that each parser has


class _FoundParserError(Exception):
    """A verb has made its parser, which is all that is wanted of it."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self.parser = parser


def verbs() -> str:
    """A section for each verb, in the order of `lasasr --help`."""
    return "\n\n".join(section(verb) for verb in VERBS)


def section(verb: str) -> str:
    """Description, form, arguments and examples of a verb."""
    parser = parser_of(verb)
    form, _, _ = VERBS[verb].partition("  ")
    written = f"`lasasr {verb} {form}".rstrip()
    parts = [f"## `{verb}`", parser.description, f"{written}`", *tables(parser)]
    return "\n\n".join(filter(None, [*parts, examples(parser.epilog or "")]))


def tables(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The arguments, then those of each group that the verb's help sets apart."""
    own = [row for group in parser._action_groups if group.title in OWN for row in rows_of(parser, group)]
    yield table([TITLES, *own]) if own else "It takes no arguments."
    for group in parser._action_groups:
        if group.title not in OWN and (rows := list(rows_of(parser, group))):
            title = str(group.title)
            yield f"{title[0].upper()}{title[1:].rstrip(':')}:"
            yield table([TITLES, *rows])


def parser_of(verb: str) -> Parser:
    """The parser that a verb makes when it is called.

    Raises:
        ValueError: it makes none.
    """

    def found(parser: Parser, *_: object) -> None:
        raise _FoundParserError(parser)

    module = importlib.import_module(f"lasasr.cli.{MODULES.get(verb, verb)}")
    with mock.patch.object(Parser, "read", found):
        try:
            module.run([])
        except _FoundParserError as error:
            return error.parser
    raise ValueError(f"lasasr {verb} reads its arguments without a Parser")


def rows_of(parser: argparse.ArgumentParser, group: argparse._ArgumentGroup) -> Iterator[Row]:
    """A row for each argument of a group."""
    formatter = parser._get_formatter()
    for action in group._group_actions:
        if not isinstance(action, argparse._HelpAction):
            yield named(action), cell(taken(action)), cell(formatter._expand_help(action) if action.help else "")


def named(action: argparse.Action) -> str:
    """How an argument is written."""
    names = action.option_strings or _metavar(action).split("|")
    return (", " if action.option_strings else " or ").join(f"`{name}`" for name in names)


def taken(action: argparse.Action) -> str:
    """What stands behind an option, or how often a positional argument may stand."""
    if action.nargs == 0:
        return "nothing"
    if not action.option_strings:
        return {"?": "once or not at all", "*": "any number", "+": "one or more"}.get(str(action.nargs), "once")
    shown = ", ".join(map(str, action.choices)) if action.choices else _metavar(action)
    often = {"?": "; or nothing", "+": ", one or more"}.get(str(action.nargs), "")
    needed = "; required" if action.required else ""
    return f"{shown}{often}{needed}"


def _metavar(action: argparse.Action) -> str:
    shown = action.metavar or action.dest.upper()
    return shown if isinstance(shown, str) else " ".join(shown)


def examples(epilog: str) -> str:
    """The end of a verb's help: examples as code, sentences as they are."""
    blocks = []
    for paragraph in epilog.split("\n\n"):
        lines = paragraph.splitlines()
        if lines and lines[0].endswith(":") and len(lines) > 1:
            blocks.append("\n".join(f"  {line}" for line in lines[1:]))
        elif lines:
            blocks.append("\n".join(cell(line) for line in lines))
    return "\n\n".join(blocks)


PAGE: Final = GeneratedPage(ROOT / "docs" / "commands.md", "scripts/commands_table.py", {"": verbs})

if __name__ == "__main__":
    PAGE.main(__doc__)
