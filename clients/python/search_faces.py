#!/usr/bin/env python3
"""Searches one picture on a facesearch server.

The server's JSON goes to standard output, a summary for people to standard error. The exit
status is 0 when the search was made, whatever it found, 1 when it failed, and 2 for wrong usage.
"""

import argparse
import json
import os
import sys

from facesearch_client import DEFAULT_SERVER, ApiError, Client


def parse(arguments):
    parser = argparse.ArgumentParser(prog="search_faces.py", description="Search one face among everybody who is enrolled.")
    parser.add_argument("file", metavar="FILE", help="picture: JPEG, PNG, WebP or TIFF, at most 5 MB")
    parser.add_argument("--rotate", action="store_true", help="try the picture at 0, 90, 180 and 270 degrees")
    parser.add_argument("--vendor-data", metavar="X", help="your own reference for this search")
    parser.add_argument("--server", metavar="URL", default=os.environ.get("FACESEARCH_SERVER") or DEFAULT_SERVER,
                        help="address of the server, also as FACESEARCH_SERVER (default: %(default)s)")
    parser.epilog = "The API key is read from FACESEARCH_API_KEY or DIDIT_API_KEY."
    return parser.parse_args(arguments)


def summary(found):
    lines = ["%s: %d match(es), %d face(s) in the picture" % (found["status"], found["total_matches"], len(found["user_image"]["entities"]))]
    for match in found["matches"]:
        listed = ", on the blocklist" if match["is_blocklisted"] else ""
        who = match["vendor_data"] or match["session_id"]
        lines.append("  %5.1f %%  %s (session %d, %s%s)" % (match["similarity_percentage"], who, match["session_number"], match["status"], listed))
    for warning in found["warnings"]:
        lines.append("  %s: %s" % (warning["risk"], warning["short_description"]))
    return "\n".join(lines)


def main(arguments=None):
    options = parse(arguments)
    key = os.environ.get("FACESEARCH_API_KEY") or os.environ.get("DIDIT_API_KEY")
    if not key:
        print("search_faces.py: no API key: set DIDIT_API_KEY or FACESEARCH_API_KEY.", file=sys.stderr)
        return 1
    try:
        answer = Client(options.server, key).search(options.file, rotate=options.rotate, vendor_data=options.vendor_data)
    except (ApiError, OSError, ValueError) as error:
        print("search_faces.py: %s" % error, file=sys.stderr)
        return 1
    print(summary(answer["face_search"]), file=sys.stderr)
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
