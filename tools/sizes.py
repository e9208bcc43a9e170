"""Print the sizes of modules and functions; guidance, nothing fails on them."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Sizes = list[tuple[int, str]]


def functions(path: Path) -> Sizes:
    """Lines and name of each function of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        (
            1 + (node.end_lineno or node.lineno) - node.lineno,
            f"{path.relative_to(ROOT)}:{node.name}",
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def show(what: str, sizes: Sizes) -> None:
    """Print percentiles and the five largest."""
    ordered = sorted(size for size, _ in sizes)
    middle, high = (ordered[int(len(ordered) * share)] for share in (0.5, 0.9))
    sys.stdout.write(f"{what}: {len(ordered)}, p50 {middle}, p90 {high} lines\n")
    for size, name in sorted(sizes, reverse=True)[:5]:
        sys.stdout.write(f"  {size:5} {name}\n")


def main() -> None:
    """Show modules, then functions."""
    paths = sorted((ROOT / "src" / "ic3").rglob("*.py"))
    modules = [
        (len(path.read_text(encoding="utf-8").splitlines()), str(path.relative_to(ROOT)))
        for path in paths
    ]
    show("modules", modules)
    show("functions", [each for path in paths for each in functions(path)])


if __name__ == "__main__":
    main()
