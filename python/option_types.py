"""Writes `src/rpcx/option_types.py`, the keywords of clients and servers, from the library's table of options.

python option_types.py            writes the file
python option_types.py --check    fails when it is not current
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("src") / "rpcx" / "option_types.py"

_HEAD = '''"""The options of clients and servers as keywords. Written by `option_types.py` from the table of options."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TypedDict, Union

Duration = Union[float, timedelta, str]
"""A time: seconds, a `timedelta`, or text such as ``500ms``."""
Size = Union[int, str]
"""A number of bytes, or text such as ``16MiB``."""
'''

_TYPES = {
    "duration": "Duration",
    "size": "Size",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "list": "str | Iterable[str]",
}


def text() -> str:
    """The whole file."""
    from rpcx import _rpcx

    rows = json.loads(_rpcx.options_json())
    parts = [_HEAD]
    for scope, about in (("client", "a client"), ("server", "a server")):
        parts += _scope(scope, about, [row for row in rows if row["scope"] == scope])
    return "\n".join(parts)


def _scope(scope: str, about: str, rows: list[dict[str, Any]]) -> list[str]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        group, dot, _ = row["name"].partition(".")
        groups.setdefault(group if dot else "", []).append(row)
    name = f"{scope.capitalize()}Options"
    written = [
        _typed(_group_name(scope, group), f"Options `{group}.…` of {about}.", [_field(row) for row in found])
        for group, found in groups.items()
        if group
    ]
    fields = [_field(row) for row in groups[""]]
    fields += [(group, f"{_group_name(scope, group)} | None", "") for group in groups if group]
    return [*written, _typed(name, f"Options of {about}; what is left out or None has its default.", fields)]


def _group_name(scope: str, group: str) -> str:
    return f"{scope.capitalize()}{''.join(part.capitalize() for part in group.split('_'))}Options"


def _field(row: dict[str, Any]) -> tuple[str, str, str]:
    default = f" Default ``{row['default']}``." if row["default"] else ""
    return row["name"].rpartition(".")[2], f"{_TYPES.get(row['type'], 'str')} | None", f"{row['doc']}{default}"


def _typed(name: str, doc: str, fields: list[tuple[str, str, str]]) -> str:
    lines = ["", f"class {name}(TypedDict, total=False):", f'    """{doc}"""', ""]
    for field, kind, meaning in fields:
        lines.append(f"    {field}: {kind}")
        if meaning:
            lines += _wrapped(meaning)
    return "\n".join(lines) + "\n"


def _wrapped(meaning: str) -> list[str]:
    words, lines, line = meaning.replace("`", "``").replace("````", "``").split(), [], '    """'
    for word in words:
        if len(line) + len(word) > 112:
            lines.append(line.rstrip())
            line = "    "
        line += f"{word} "
    return [*lines, f'{line.rstrip()}"""']


def main() -> int:
    """Writes the file, or compares it."""
    current = text()
    if "--check" not in sys.argv:
        FILE.write_text(current, encoding="utf-8")
        return 0
    if not FILE.exists() or FILE.read_text(encoding="utf-8") != current:
        print(f"{FILE.name} is not current: python option_types.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
