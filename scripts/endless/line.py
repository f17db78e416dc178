#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""One line of `run`: plays a good model, asks for one whose load has no end, then for another good one, and stops.

    line.py GOOD ENDLESS OTHER LIMIT [PID]     stops the process PID, the server of a share, before it asks
    line.py --start ENDLESS LIMIT              starts with it, within a load-timeout of 3 s
    line.py --template MODEL ROOT LIMIT PID    frees an element whose template lies on a share that dies

Prints what it measured as one JSON object, and says "gone" in the end: what comes after that is the end of the process.
"""
import json
import os
import signal
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

Gst.init(None)
LINE = "videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=32,height=32,framerate=60/1 ! modelinfer name=m ! fakesink"


def within(limit, work):
    """Seconds that `work` took on a thread of its own; None if it did not end in time."""
    begun, done = time.monotonic(), threading.Event()

    def run():
        work()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return round(time.monotonic() - begun, 2) if done.wait(limit) else None


def until(limit, is_so):
    begun = time.monotonic()
    while not is_so():
        if time.monotonic() - begun > limit:
            return None
        time.sleep(0.01)
    return round(time.monotonic() - begun, 2)


def said(bus, kinds):
    texts = []
    while message := bus.pop_filtered(kinds):
        parse = message.parse_error if message.type == Gst.MessageType.ERROR else message.parse_warning
        texts.append(parse()[0].message)
    return texts


def tell(found):
    # A thread that hangs must not keep this process: what crashes at its end still shows.
    print(json.dumps(found), flush=True)
    print("gone", flush=True)
    sys.exit(0)


def swap(good, endless, other, limit, pid=None):
    pipeline = Gst.parse_launch(LINE)
    model, bus = pipeline.get_by_name("m"), pipeline.get_bus()
    model.set_property("model", good)
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_state(Gst.SECOND * 30)
    if pid:
        os.kill(int(pid), signal.SIGSTOP)
    model.set_property("model", endless)
    time.sleep(1)
    version = lambda: model.get_property("stats").get_value("swaps")  # noqa: E731
    before = version()
    model.set_property("model", other)
    found = {"swap after it, s": until(limit, lambda: version() > before)}
    time.sleep(6)
    found["warnings"] = said(bus, Gst.MessageType.WARNING)
    stats = model.get_property("stats")
    found["abandoned"] = stats.get_value("loads-abandoned") if stats.has_field("loads-abandoned") else "-"
    model.set_property("model", endless)
    time.sleep(0.5)
    found["NULL, s"] = within(limit, lambda: pipeline.set_state(Gst.State.NULL))
    tell(found)


def start(endless, limit):
    pipeline = Gst.parse_launch(LINE)
    model, bus = pipeline.get_by_name("m"), pipeline.get_bus()
    model.set_property("model", endless)
    model.set_property("load-timeout", 3 * 10**9)
    found = {"start, s": within(limit, lambda: pipeline.set_state(Gst.State.PLAYING))}
    found["errors"] = said(bus, Gst.MessageType.ERROR)
    found["NULL, s"] = within(limit, lambda: pipeline.set_state(Gst.State.NULL))
    tell(found)


def template(model_path, root, limit, pid):
    pipeline = Gst.parse_launch(LINE)
    model = pipeline.get_by_name("m")
    model.set_property("model", model_path)
    model.set_property("image-root", root)
    fields = Gst.Structure.new_from_string("fields,sku=dead")
    model.set_property("fields", fields)
    os.kill(int(pid), signal.SIGSTOP)
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_state(Gst.SECOND * 30)
    time.sleep(1)
    stats = model.get_property("stats")
    found = {"frames": stats.get_value("frames"), "without a template": stats.get_value("frames-missing-field")}
    found["NULL, s"] = within(limit, lambda: pipeline.set_state(Gst.State.NULL))
    found["another image-root, s"] = within(limit, lambda: model.set_property("image-root", "/tmp"))
    tell(found)


def main(arguments):
    GLib.set_prgname("line")
    match arguments:
        case ["--start", endless, limit]:
            start(endless, float(limit))
        case ["--template", model, root, limit, pid]:
            template(model, root, float(limit), pid)
        case [good, endless, other, limit, *pid]:
            swap(good, endless, other, float(limit), *pid)


main(sys.argv[1:])
