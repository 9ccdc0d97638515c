"""Count the imports inside the package: floors, upward imports and cycles.

    python tests/support/imports.py [FOLDER]

FOLDER is a package's folder, by default `python/sessscan`. An import counts wherever it stands, inside a
function or under `TYPE_CHECKING` too. The module graph is drawn between files, the package graph between the
folders that hold them. A floor is the longest way down: a file on floor 0 imports nothing of the package.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = dict[str, set[str]]


def modules(folder: Path) -> dict[str, Path]:
    """Return the package's modules by dotted name, relative to it; its own `__init__` is the empty name."""
    found = {}
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.pyi")]):
        parts = list(path.relative_to(folder).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found.setdefault(".".join(parts), path)
    return found


def module_graph(folder: Path) -> Graph:
    """Return which module imports which, as dotted names relative to the package."""
    known = modules(folder)
    return {
        name: {target for target in _imported(name, path, known) if target != name}
        for name, path in known.items()
        if path.suffix == ".py"
    }


def package_graph(folder: Path) -> Graph:
    """Return which folder imports from which; a module beside the package's `__init__` is its own folder."""
    graph: Graph = {}
    for name, targets in module_graph(folder).items():
        own = package_of(name)
        graph.setdefault(own, set()).update(package_of(target) for target in targets)
        graph[own].discard(own)
    return graph


def package_of(module: str) -> str:
    """Return the first part of a module's dotted name."""
    return module.partition(".")[0]


def _imported(module: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    inside = module.split(".") if module else []
    if path.name != "__init__.py":
        inside = inside[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package, _, rest = alias.name.partition(".")
                if package == path_package(path):
                    yield rest
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            base = inside[: len(inside) - node.level + 1]
            stem = [*base, *(node.module.split(".") if node.module else [])]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == path_package(path):
            stem = (node.module or "").split(".")[1:]
        else:
            continue
        for alias in node.names:
            submodule = ".".join([*stem, alias.name])
            yield submodule if submodule in known else ".".join(stem)


def path_package(path: Path) -> str:
    """Return the name of the outermost package that a file is in."""
    while (path.parent / "__init__.py").exists():
        path = path.parent
    return path.name


def cycles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that reach each other, each sorted (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in order:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], order[target])
        if low[node] == order[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in order:
            visit(node)
    return sorted(found)


def floors(graph: Graph) -> dict[str, int]:
    """Return the floor of each node; nodes of one cycle share a floor."""
    group = {node: tuple(cycle) for cycle in cycles(graph) for node in cycle}
    known: dict[tuple[str, ...], int] = {}

    def floor(node: str) -> int:
        members = group.get(node, (node,))
        if members not in known:
            below = {target for member in members for target in graph.get(member, ())} - set(members)
            known[members] = 1 + max((floor(target) for target in below), default=-1)
        return known[members]

    return {node: floor(node) for node in graph}


def main() -> None:
    """Print both graphs' floors, top first, and their cycles."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "python" / "sessscan")
    for title, graph in (("packages", package_graph(folder)), ("modules", module_graph(folder))):
        at = floors(graph)
        arrows = sum(map(len, graph.values()))
        print(f"{title}: {len(graph)}, imports: {arrows}, floors: {max(at.values()) + 1}")
        for level in sorted(set(at.values()), reverse=True):
            print(f"  {level:2}  {' '.join(sorted(node or '(top)' for node in at if at[node] == level))}")
        for cycle in cycles(graph):
            print(f"  cycle: {' '.join(cycle)}")


if __name__ == "__main__":
    main()
