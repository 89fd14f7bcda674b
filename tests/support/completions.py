#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""completions.py SHELL TOOL: writes TOOL's completion file for bash, zsh or fish, from what TOOL's hidden
option --dump-options says of its options and arguments."""
import json
import subprocess
import sys

NOTE = "SPDX-License-Identifier: Apache-2.0\n# Generated from the option table by tests/check/options.sh --update; do not edit."
FILES = ("FILE", "DIR", "PATH", "QUERIES", "DB")


def is_file(kind):
    return any(word in kind.upper() for word in FILES)


def bash(tool, options, arguments):
    function = "_" + tool.replace("-", "_")
    lines = [f"# {NOTE}", f"{function}() {{",
             "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}",
             '    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi',
             "    COMPREPLY=()", "    case $prev in"]
    for option in options:
        if not option["type"]:
            continue
        names = "|".join(filter(None, (option["short"], option["name"])))
        words = " ".join(option["values"])
        file = "compopt -o filenames 2>/dev/null; " if is_file(option["type"]) else ""
        generate = " ".join(filter(None, (f"-W '{words}'" if words else "", "-f" if file else "")))
        if generate:
            lines.append(f"        {names}) {file}mapfile -t COMPREPLY <<<\"$(compgen {generate} -- \"$cur\")\" ;;")
        else:
            lines.append(f"        {names}) return ;;")
    names = " ".join(sorted({name for option in options for name in (option["short"], option["name"]) if name}))
    words = " ".join(word for argument in arguments for word in argument["values"])
    takes_files = any(argument["files"] for argument in arguments)
    file = "compopt -o filenames 2>/dev/null; " if takes_files else ""
    lines += ["        *)", '            if [[ $cur == -* ]]; then',
              f"                mapfile -t COMPREPLY <<<\"$(compgen -W '{names}' -- \"$cur\")\"", "            else",
              f"                {file}mapfile -t COMPREPLY <<<\"$(compgen -W '{words}'{' -f' if takes_files else ''} -- \"$cur\")\"",
              "            fi", "            ;;", "    esac",
              '    [[ ${COMPREPLY[0]-} ]] || COMPREPLY=()']
    if any(word.endswith(":") for row in options + arguments for word in row["values"]):
        # What follows a colon comes without a space.
        lines.append('    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]]; then compopt -o nospace 2>/dev/null; fi')
    lines += ["}", f"complete -F {function} {tool}"]
    return lines


def zsh(tool, options, arguments):
    def plain(text):
        for character in "\\[]:":
            text = text.replace(character, "\\" + character)
        return text.replace("'", "'\\''")

    def action(kind, values):
        if values and is_file(kind):
            # A colon would end the action.
            return f'{{_alternative "words\\:word\\:({" ".join(values)})" "files\\:FILE\\:_files"}}'
        if values:
            return "(" + " ".join(plain(value) for value in values) + ")"
        return "_files" if is_file(kind) else " "

    lines = [f"#compdef {tool}", f"# {NOTE}", "_arguments -S \\"]
    for option in options:
        value = f":{plain(option['type'])}:{action(option['type'], option['values'])}" if option["type"] else ""
        exclusive = f"({option['short']} {option['name']})" if option["short"] else ""
        for name in filter(None, (option["short"], option["name"])):
            equals = "=" if option["type"] and name.startswith("--") else ""
            lines.append(f"    '{exclusive}{name}{equals}[{plain(option['help'])}]{value}' \\")
    words = [word for argument in arguments for word in argument["values"]]
    takes_files = any(argument["files"] for argument in arguments)
    name = plain(arguments[0]["positional"]) if arguments else "argument"
    if words and takes_files:
        lines.append(f"    '*:{name}:_alternative \"words:{name}:({' '.join(words)})\" \"files:FILE:_files\"'")
    elif words:
        lines.append(f"    '*:{name}:({' '.join(plain(word) for word in words)})'")
    else:
        lines.append(f"    '*:{name}:{'_files' if takes_files else ' '}'")
    return lines


def fish(tool, options, arguments):
    def quote(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    takes_files = any(argument["files"] for argument in arguments)
    lines = [f"# {NOTE}"]
    if not takes_files:
        lines.append(f"complete -c {tool} -f")
    for option in options:
        parts = [f"complete -c {tool} -l {option['name'].removeprefix('--')}"]
        if option["short"]:
            parts.append(f"-s {option['short'].removeprefix('-')}")
        if option["type"]:
            parts.append("-r -F" if is_file(option["type"]) else "-x")
            if option["values"]:
                parts.append(f"-a {quote(' '.join(option['values']))}")
        parts.append(f"-d {quote(option['help'])}")
        lines.append(" ".join(parts))
    words = [word for argument in arguments for word in argument["values"]]
    if words:
        lines.append(f"complete -c {tool} -a {quote(' '.join(words))}")
    return lines


shell, tool = sys.argv[1:]
dump = subprocess.run([tool, "--dump-options"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True).stdout.decode()
rows = [json.loads(line) for line in dump.splitlines()]
print("\n".join({"bash": bash, "zsh": zsh, "fish": fish}[shell](
    tool, [row for row in rows if "name" in row], [row for row in rows if "positional" in row])))
