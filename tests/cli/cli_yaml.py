"""Writing yaml files in tests."""

from pathlib import Path


def write(folder: Path, name: str, text: str) -> Path:
    """Write one yaml file, its common indentation removed."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = text.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    path.write_text("\n".join(line[margin:] for line in lines) + "\n")
    return path
