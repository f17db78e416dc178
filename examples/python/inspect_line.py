#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A line in Python: reads the verdict, the model and the defects of each frame, captures frames, swaps the model and goes
back.

    python3 inspect_line.py MODEL OTHER_MODEL CAPTURES ["properties of modelinfer"]
"""

import json
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

CAPTURE_AT, SWAP_AT = 5, 10


def say(*words, to=sys.stdout):
    """Prints a line in one piece, for the streaming thread and the main loop both print."""
    to.write(" ".join(words) + "\n")


class Line:
    def __init__(self, model, other, captures, properties=""):
        self.other, self.frames, self.changes, self.status = other, 0, 0, 0
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(
            "defecttestsrc defect-rate=0.5 seed=3 is-live=true "
            f"! modelinfer name=judge model={model} on-error=pass {properties} "
            f"! framesampler name=sampler location={captures} pre-roll=8 random-rate=0 ! fakesink name=out"
        )
        self.judge, self.sampler = (self.pipeline.get_by_name(name) for name in ("judge", "sampler"))
        pad = self.pipeline.get_by_name("out").get_static_pad("sink")
        pad.add_probe(Gst.PadProbeType.BUFFER, self.on_frame)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.on_message)

    def on_frame(self, _pad, info):
        """Prints what decides the frame. It runs on the streaming thread: an application that does more hands it on."""
        n, self.frames = self.frames, self.frames + 1
        meta = info.get_buffer().get_custom_meta("AndonResult")
        if meta is None:
            say(f"frame {n}: no result, which is not a good one")
        else:
            result = meta.get_structure()
            said = {field: result.get_string(field) for field in ("verdict", "status", "model", "version")}
            score = result.get_double("score").value
            say(f"frame {n}: {said['verdict']} ({said['status']}) {score:.2f} by {said['model']}@{said['version']}")
            # Boxes in json are pixels of the frame that the model saw.
            for decides in json.loads(result.get_string("json"))["results"]:
                for d in decides["detections"]:
                    x, y, width, height = (round(v) for v in d["box"])
                    say(f"  {d['label']} {d['score']:.2f} at {x},{y} {width}x{height}")
        if n == CAPTURE_AT:
            say("capture:", "accepted" if self.sampler.emit("capture", 2, "example", 3, 1) else "refused")
        elif n == SWAP_AT:
            say("swap:", "accepted" if self.judge.emit("swap", self.other) else "refused")
        return Gst.PadProbeReturn.OK

    def on_message(self, _bus, message):
        if message.type == Gst.MessageType.EOS:
            self.loop.quit()
        elif message.type == Gst.MessageType.ERROR:
            say("error:", message.parse_error()[0].message, to=sys.stderr)
            self.status = 1
            self.loop.quit()
        elif message.type == Gst.MessageType.ELEMENT:
            s = message.get_structure()
            if s.get_name() == "andon/part-verdict":
                part = json.loads(s.get_string("json"))
                model = part["model"]
                say(f"part {part['id']}: {part['verdict']} by {model['name']}@{model['version']}")
            elif s.get_name() == "andon/model-changed":
                say("runs now:", s.get_string("to"))
                self.changes += 1
                back = self.changes == 1 and self.judge.emit("rollback")
                if self.changes == 1:
                    say("rollback:", "accepted" if back else "refused")
                if not back:
                    # Every element sees the end of the stream, and the last frames come out.
                    self.pipeline.send_event(Gst.Event.new_eos())
            elif s.get_name() == "andon/model-failed":
                say("model failed:", s.get_string("error"))

    def run(self):
        try:
            if self.pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
                return 1
            self.loop.run()
            return self.status
        finally:
            self.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    Gst.init(None)
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(Line(*sys.argv[1:5]).run())
