# SPDX-License-Identifier: MPL-2.0
"""Our side: a bundle made of somebody's file by `andon model init`, and one picture through `modelinfer`."""

import json
import shutil
import subprocess
from pathlib import Path


class Refused(Exception):
    """Andon refused a model; the text is its message."""


def bundle(file, folder, labels=(), good=(), changes=None, decoder=None):
    """Makes a bundle of a file as a user would: `andon model init`, then the changes to model.json.

    `changes` maps "inputs", "outputs" or "thresholds" to fields that are set there (in the first input or output), and
    other fields to their new value; None takes a field away.
    """
    shutil.rmtree(folder, ignore_errors=True)
    command = ["andon", "model", "init", str(file), "--into", str(folder)]
    if labels:
        command.append("--labels=" + ",".join(labels))
    if good:
        command.append("--good=" + ",".join(good))
    if decoder:
        command.append("--decoder=" + decoder)
    done = subprocess.run(command, capture_output=True, text=True)
    path = Path(folder, "model.json")
    if not path.exists() or (done.returncode and not changes):
        raise Refused(done.stderr.strip().removeprefix("andon: "))
    manifest = json.loads(path.read_text())
    for key, value in (changes or {}).items():
        if isinstance(value, dict):
            at = manifest.setdefault(key, {})
            at = at[0] if isinstance(at, list) else at
            at.update(value)
            for name in [name for name in value if at[name] is None]:
                del at[name]
        else:
            manifest[key] = value
    path.write_text(json.dumps(manifest, indent=2))
    return folder


def play(model, picture, folder, **properties):
    """One lossless picture through the model: the JSON of its result, `andon.inference/1`."""
    out = Path(folder, "result.json")
    out.unlink(missing_ok=True)
    settings = [f"{name.replace('_', '-')}={value}" for name, value in properties.items()]
    done = subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={picture}", "!", "pngdec", "!"]
        + ["modelinfer", f"model={model}", *settings, "!", "resultenc", "!", "application/x-json", "!"]
        + ["filesink", f"location={out}"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise Refused(said[0].split(": ", 2)[-1] if said else done.stderr.strip())
    result = json.loads(out.read_text().splitlines()[0])["results"][0]
    result["warnings"] = [line for line in done.stderr.splitlines() if line.startswith("WARNING")]
    return result
