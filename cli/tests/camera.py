# SPDX-License-Identifier: MPL-2.0
"""A GigE Vision camera on the loopback device, simulated by Aravis. Says "ready" once it answers, and runs until its
standard input is closed.
"""

import sys

import gi

gi.require_version("Aravis", "0.8")
from gi.repository import Aravis, GLib  # noqa: E402

camera = Aravis.GvFakeCamera.new("127.0.0.1", "ANDON")
print("ready" if camera.is_running() else "the port of GigE Vision (UDP 3956) is taken", flush=True)
if not camera.is_running():
    sys.exit(1)
loop = GLib.MainLoop()
# Whoever started it is gone.
GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit())
loop.run()
