#!/usr/bin/env python3
"""Reads every #include of the project and fails on an arrow that points up.

Two rules:
  1. a folder includes only itself and the folders beneath it, as ALLOWED says;
  2. the headers of each big third-party library are included in one folder only.

`layering_test.py --root DIR` checks a tree; `--self-test` plants one violation of each rule in a scratch tree and fails
unless each is found.
"""

import argparse
import os
import re
import sys
import tempfile

# Folder -> what it may include beside itself. Longest folder name wins.
ALLOWED = {
    "engine/core": [],
    "state": ["engine/core"],
    "engine/io": ["engine/core", "state"],
    "models": ["engine/core"],
    "models/torch": ["engine/core", "models"],
    "operators": ["engine/core", "state", "engine/io", "models"],
    "engine/runtime": ["engine/core", "state", "engine/io", "models", "operators"],
    "engine/server": ["engine/core", "state", "engine/io", "models", "operators", "engine/runtime"],
    "config": ["engine/core", "state", "engine/io", "models", "operators", "engine/runtime", "engine/server"],
    "engine/app": ["engine/core", "state", "engine/io", "models", "operators", "engine/runtime", "engine/server", "config"],
}

# Header prefix -> the only folder that may include it. Tests may include what they test with.
THIRD_PARTY = {
    "librdkafka/": "engine/io",
    "simdjson": "engine/io",
    "rocksdb/": "state",
    "torch/": "models/torch",
    "ATen/": "models/torch",
    "c10/": "models/torch",
    "yaml-cpp/": "config",
    "libical/": "engine/io",
    "Eigen/": "operators",
    "boost/beast": "engine/server",
    "CLI/": "engine/app",
    "spdlog/": "engine/app",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = (".h", ".hpp", ".cc", ".cpp", ".inc")


def folder_of(path):
    """The known folder that a path from the root lies in, or None."""
    best = None
    for folder in ALLOWED:
        if path.startswith(folder + "/") and (best is None or len(folder) > len(best)):
            best = folder
    return best


def violations(root):
    found = []
    files = 0
    includes = 0
    for folder in sorted({name.split("/")[0] for name in ALLOWED}):
        for directory, names, entries in os.walk(os.path.join(root, folder)):
            names[:] = [name for name in names if name not in ("node_modules", "build")]
            for entry in sorted(entries):
                if not entry.endswith(SOURCES):
                    continue
                full = os.path.join(directory, entry)
                path = os.path.relpath(full, root)
                own = folder_of(path)
                if own is None:
                    found.append(f"{path}: lies in no folder of the layering")
                    continue
                files += 1
                with open(full, encoding="utf-8") as lines:
                    for number, line in enumerate(lines, 1):
                        match = INCLUDE.match(line)
                        if not match:
                            continue
                        includes += 1
                        quote, name = match.groups()
                        problem = check(root, own, quote, name)
                        if problem:
                            found.append(f"{path}:{number}: {problem}")
    return found, files, includes


def check(root, own, quote, name):
    for prefix, home in THIRD_PARTY.items():
        if name.startswith(prefix) and own != home:
            return f"{name} belongs to {home} alone"
    if quote == "<":
        return None
    if not os.path.exists(os.path.join(root, name)):
        return f'"{name}" is not a path from the repository root'
    target = folder_of(name)
    if target is None:
        return f"{name} lies outside of the folders of the layering"
    if target != own and target not in ALLOWED[own]:
        return f"{own} may not include {target} ({name}): the arrow points up"
    return None


def self_test():
    planted = {
        "engine/core/low.h": '#include "state/high.h"\n',
        "state/high.h": "#pragma once\n",
        "operators/reader.cc": "#include <librdkafka/rdkafka.h>\n",
        "operators/view_options.h": "#pragma once\n",
        "engine/io/feeder.cc": '#include "operators/view_options.h"\n',
        "models/pool.cc": "#include <torch/torch.h>\n",
        "models/torch/net.cc": '#include <torch/torch.h>\n#include "models/net.h"\n',
        "models/net.h": "#pragma once\n",
        "engine/runtime/task.cc": '#include "view_options.h"\n',
        "state/store.cc": "#include <rocksdb/db.h>\n",
    }
    expected = {
        "engine/core/low.h:1: engine/core may not include state (state/high.h): the arrow points up",
        "operators/reader.cc:1: librdkafka/rdkafka.h belongs to engine/io alone",
        "engine/io/feeder.cc:1: engine/io may not include operators (operators/view_options.h): the arrow points up",
        "models/pool.cc:1: torch/torch.h belongs to models/torch alone",
        'engine/runtime/task.cc:1: "view_options.h" is not a path from the repository root',
    }
    with tempfile.TemporaryDirectory() as root:
        for path, text in planted.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text)
        found, _, _ = violations(root)
    if set(found) != expected:
        print("the check does not find what was planted:")
        for line in sorted(expected - set(found)):
            print(f"  missed:   {line}")
        for line in sorted(set(found) - expected):
            print(f"  too much: {line}")
        return 1
    print(f"found all {len(expected)} planted violations and nothing else")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    found, files, includes = violations(options.root)
    for line in found:
        print(line)
    if files < 10:
        print(f"only {files} source files found below {options.root}: is this the root?")
        return 1
    print(f"{files} files, {includes} includes, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
