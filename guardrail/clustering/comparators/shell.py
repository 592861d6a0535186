"""Commands for a shell: quoting, spacing and the order of plain flags say nothing; operands keep their order."""

from __future__ import annotations

import re
import shlex

from guardrail.clustering.comparators.about import About

_LONGEST = 4_000
_CHAINED = re.compile(r"(\s*(?:&&|\|\||[;|&<>\n`(){}$])\s*)")
_EXPANDED = re.compile(r"[\\*?\[\]~!#]")  # unless quoted
_FLAG = re.compile(r"-[A-Za-z]|--[A-Za-z][\w-]*")
_CONTRARY = frozenset("ifn")  # of rm -i -f, cp -n -f and their like, the last one counts
_SWITCH = re.compile(r"/[A-Za-z?]{1,3}")
_WINDOWS = frozenset(
    (
        *("assoc", "attrib", "cd", "chdir", "chkdsk", "cls", "copy", "date", "del", "dir", "erase", "find", "findstr"),
        *("icacls", "ipconfig", "label", "md", "mkdir", "move", "net", "netstat", "nslookup", "ping", "rd", "ren"),
        *("rename", "rmdir", "robocopy", "sc", "schtasks", "shutdown", "start", "systeminfo", "taskkill", "tasklist"),
        *("time", "tree", "type", "ver", "vol", "where", "xcopy"),
    )
)


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two command lines run the same commands with the same arguments, as far as their text tells."""
    a, b = a.strip(), b.strip()
    if a == b:
        return True
    if max(len(a), len(b)) > _LONGEST:
        return False
    try:
        return _reading(a) == _reading(b)
    except ValueError:  # quotes that do not close
        return False


def _reading(text: str) -> list[object]:
    if "\\" not in text and _CHAINED.search(text):
        return [_exact(text)]
    program = text.split(None, 1)[0].casefold().removesuffix(".exe") if text else ""
    switches = program in _WINDOWS and ("\\" in text or _SWITCH.search(text) is not None)
    if switches:
        return _windows(program, text)
    if _CHAINED.search(text) or _EXPANDED.search(text):
        return [_exact(text)]
    return _posix(shlex.split(text))


def _exact(text: str) -> str:
    return text if any(mark in text for mark in "'\"\n\\") else " ".join(text.split())


def _posix(words: list[str]) -> list[object]:
    """The words, each run of plain flags as a set: no operand stands between them that one could take."""
    found: list[object] = []
    run: list[str] = []
    for word in words:
        if _FLAG.fullmatch(word):
            run.append(word)
            continue
        found += [_run(run), word] if run else [word]
        run = []
    return [*found, tuple(sorted(run)) if _free(run) else tuple(run)] if run else found


def _run(flags: list[str]) -> tuple[str, ...]:
    # the last flag of a run may take the word that follows
    return (*sorted(flags[:-1]), flags[-1]) if _free(flags) else tuple(flags)


def _free(flags: list[str]) -> bool:
    """Whether no two flags undo each other, so that their order says nothing."""
    contrary = sum(flag[1:] in _CONTRARY or flag.startswith(("--no", "--force", "--interactive")) for flag in flags)
    return contrary < 2


def _windows(program: str, text: str) -> list[object]:
    """Programs and switches in any case, doubled backslashes as one, switches with the words they take in any order."""
    words = re.sub(r"(?<=\S)\\{2,}", r"\\", text).split()[1:]
    if _CHAINED.search(text):
        return [program, *words]
    groups: list[tuple[str, ...]] = [()]
    for word in words:
        if _SWITCH.fullmatch(word):
            groups.append((word.upper(),))
        else:
            groups[-1] = (*groups[-1], word)
    taking = [group for group in groups if len(group) > 1]
    plain = sorted(group for group in groups[1:] if len(group) == 1)
    return [program, groups[0], taking, plain]
