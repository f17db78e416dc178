#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""An RTSP camera on loopback that shows a test picture as MJPEG, until it is killed.

    rtsp_server.py [--port 0] [--rate 15] [--frames N]

Prints `rtsp://127.0.0.1:PORT/line` once it listens. Needs python3-gi and gir1.2-gst-rtsp-server-1.0 (scripts/setup).
"""

import argparse
import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as error:
    sys.exit(f"rtsp_server.py needs python3-gi and gir1.2-gst-rtsp-server-1.0 (run scripts/setup): {error}")

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--port", default="0", help="0: any that is free")
options.add_argument("--rate", type=int, default=15, help="frames a second")
options.add_argument("--frames", type=int, default=-1, help="the stream ends after so many frames")
options = options.parse_args()

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(options.port)
camera = GstRtspServer.RTSPMediaFactory()
camera.set_launch(
    f"( videotestsrc is-live=true num-buffers={options.frames} pattern=ball"
    f" ! video/x-raw,format=I420,width=320,height=240,framerate={options.rate}/1"
    " ! jpegenc ! rtpjpegpay name=pay0 pt=26 )"
)
camera.set_shared(True)
server.get_mount_points().add_factory("/line", camera)
if server.attach(None) == 0:
    sys.exit(f"rtsp_server.py: port {options.port} cannot be listened on")
print(f"rtsp://127.0.0.1:{server.get_bound_port()}/line", flush=True)
GLib.MainLoop().run()
