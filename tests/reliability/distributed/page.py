"""The programs of docs/distribution.md: `python -m tests.reliability.distributed.page FOLDER HEADING` runs one."""

import os
import re
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "distribution.md"


def programs() -> dict[str, str]:
    """Returns the page's programs by the headings of their sections."""
    sections = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    found = [(section.split("\n")[0], re.findall(r"```python\n(.*?)```", section, re.DOTALL)) for section in sections]
    return {heading: code for heading, codes in found for code in codes}


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    exec(compile(programs()[sys.argv[2]], str(PAGE), "exec"), {"__name__": "__main__"})
