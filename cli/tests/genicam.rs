// SPDX-License-Identifier: MPL-2.0
//! The pipeline file for GenICam cameras, on Aravis' own simulated camera: GigE Vision over the loopback device.

mod common;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use common::{andon, err, out, root};
use serde_json::Value;

/// The simulated camera, which ends with the test.
struct Camera(Child);

impl Camera {
    fn start() -> Self {
        let mut command = unprivileged("/usr/bin/python3");
        let mut child = command
            .arg(root().join("cli/tests/camera.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "Aravis' camera does not start: `make setup` installs gir1.2-aravis-0.8");
        Self(child)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command without the right to raw packets: with it, Aravis reads frames below the loopback device, where there are none.
fn unprivileged(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw", program]);
    command
}

#[test]
fn cameras_of_8_bits_of_16_and_with_a_mosaic_are_judged() {
    let _camera = Camera::start();
    let folder = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={} every=1 format=raw", folder.path().display());
    let size = "width=128,height=128";
    for (caps, more, kind) in [
        ("video/x-raw,format=GRAY8", "BITS=0", "GRAY8"),
        ("video/x-raw,format=GRAY16_LE", "BITS=16", "GRAY16_LE"),
        ("video/x-bayer,format=rggb", "CONVERT=bayer2rgb ! videoconvert ! video/x-raw,format=RGB", "RGB"),
    ] {
        let caps = format!("CAPS={caps},{size}");
        let usual = andon(&["run", "pipelines/genicam.launch", "FRAMES=5", "--json", &caps, more, &captures]);
        let mut command = unprivileged(usual.get_program().to_str().unwrap());
        command.args(usual.get_args()).current_dir(root()).stdin(Stdio::null());
        command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))).collect::<Vec<_>>());
        let output = command.env_remove("GST_PLUGIN_PATH").output().unwrap();
        assert!(output.status.success(), "{kind}: {}", err(&output));
        let messages = out(&output);
        let messages: Vec<Value> = messages.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |name: &str| messages.iter().filter(|m| m["message"] == name).collect::<Vec<_>>();
        let verdicts = of("andon/part-verdict");
        assert_eq!(verdicts.len(), 5, "{kind}: {messages:?}");
        assert!(verdicts.iter().all(|m| m["data"]["verdict"] != "unjudged"), "{kind}: {verdicts:?}");
        let captured = of("andon/captured");
        // Of the last ones the message may come too late; their files are there.
        assert!(!captured.is_empty(), "{kind}: {messages:?}");
        let said = captured[0]["data"].to_string();
        assert!(said.contains(kind), "{kind}: {said}");
    }
}
