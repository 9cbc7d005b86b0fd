#!/usr/bin/env python3
"""`tidecast demo --for` goes past the turn of days at its pace, serves a forecast, ends by itself and says what it did.

    demo_test.py --tidecast PROGRAM
"""
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request

HISTORY_DAYS = 6
LINES_OF_FOURTEEN_DAYS = 68902  # orders and clicks: eight days past the history


def main():
    program = sys.argv[sys.argv.index("--tidecast") + 1]
    demo = subprocess.Popen([program, "demo", "--for", "25s", "--port", "0", "--history", f"{HISTORY_DAYS}d", "--speed", "2d/s", "--model", "experts"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    words = []
    reader = threading.Thread(target=lambda: words.extend(demo.stderr), daemon=True)
    reader.start()
    served = None
    begun = time.monotonic()
    try:
        while served is None and demo.poll() is None and time.monotonic() - begun < 24:
            url = re.search(r"http://[0-9.:]+/", "".join(words))
            if url:
                with urllib.request.urlopen(url.group(0) + "v1/forecasts?limit=1", timeout=5) as reply:
                    if json.load(reply)["items"]:
                        served = time.monotonic() - begun
            time.sleep(.2)
        out, _ = demo.communicate(timeout=90)
    finally:
        if demo.poll() is None:
            demo.kill()
            demo.wait()
    print(out)
    assert demo.returncode == 0, f"ended with {demo.returncode}"
    assert served is not None, "no forecast was served"
    print(f"first forecast served after {served:.1f} s")
    events = re.search(r"events: (\d+) read", out)
    assert events and int(events.group(1)) > LINES_OF_FOURTEEN_DAYS, "the replay did not go on past its history"
    assert re.search(r"forecasts: [1-9]", out) and re.search(r"alerts: \d", out), "the summary is not whole"
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
