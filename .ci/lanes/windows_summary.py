"""Count what the tests under Windows' Python did, from pytest's JUnit files, and judge it.

    python windows_summary.py MINIMUM FILE...

Prints how many passed, failed, and were skipped for which reason. Exits with status 1 if one failed, or if
fewer than MINIMUM passed.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from xml.etree import ElementTree


def main(minimum: str, *files: str) -> int:
    passed, failed = 0, []
    skipped: Counter[str] = Counter()
    for file in files:
        for case in ElementTree.parse(file).iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            if (skip := case.find("skipped")) is not None:
                skipped[re.sub(r"\s+", " ", skip.get("message") or "no reason")] += 1
            elif case.find("failure") is not None or case.find("error") is not None:
                failed.append(name)
            else:
                passed += 1
    print(f"tests of Python: {passed} passed, {sum(skipped.values())} skipped, {len(failed)} failed")
    for reason, count in sorted(skipped.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:6}  {reason}")
    for name in failed:
        print(f"FAILED: {name}")
    if passed < int(minimum):
        print(f"FAILED: fewer than {minimum} tests ran")
    return 1 if failed or passed < int(minimum) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
