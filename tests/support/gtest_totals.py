#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gtest_totals.py FOLDER: adds up the XML reports of GoogleTest in it: `passed failed skipped`."""
import glob
import os
import sys
import xml.etree.ElementTree as ElementTree

passed = failed = skipped = 0
for path in glob.glob(os.path.join(sys.argv[1], "*.xml")):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.get("result") in ("skipped", "suppressed") or case.get("status") == "notrun":
            skipped += 1
        else:
            passed += 1
print(passed, failed, skipped)
