"""A preprocessor of mdBook: a link that leads out of docs/ leads to the repository, as it does where a page is read there."""

import json
import posixpath
import re
import sys


def outside(chapter, repository):
    folder = posixpath.join("docs", posixpath.dirname(chapter["source_path"]))

    def link(match):
        path = posixpath.normpath(posixpath.join(folder, match[1]))
        return match[0] if path.startswith("docs/") else f"]({repository}/{path}"

    chapter["content"] = re.sub(r"\]\((\.\./[^)#]*)", link, chapter["content"])
    for item in chapter["sub_items"]:
        if "Chapter" in item:
            outside(item["Chapter"], repository)


if "supports" not in sys.argv:
    context, book = json.load(sys.stdin)
    html = context["config"]["output"]["html"]
    outside({"source_path": "", "content": "", "sub_items": book["items"]}, html["git-repository-url"])
    json.dump(book, sys.stdout)
