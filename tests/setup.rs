// SPDX-License-Identifier: MPL-2.0
//! scripts/setup on machines that are played by a folder of small programs: what it says before it fetches anything, what it
//! takes for which purpose, whose terminal it opens, and what it names when it fails.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// The programs of the played machine. What they were asked is in `asked`; a file `installed` says what apt has done.
const PROGRAMS: &[(&str, &str)] = &[
    ("uname", r#"case $1 in -s) echo "${SYSTEM:-Linux}" ;; -m) echo x86_64 ;; esac"#),
    ("cargo", "exit 0"),
    ("rustc", "echo rustc 1.99.0"),
    (
        "sudo",
        r#"echo "sudo $*" >>"$MACHINE/asked"; [ -z "${SUDO_SAYS-}" ] || { echo "$SUDO_SAYS" >&2; exit 1; }; exec "$@""#,
    ),
    ("dpkg-query", r#"[ -e "$MACHINE/installed" ] && echo installed"#),
    (
        "apt-cache",
        r#"case $1 in policy) echo "  Candidate: $GSTREAMER-1" ;; search) echo libgstreamer-plugins-bad1.0-dev ;; esac"#,
    ),
    (
        "apt-get",
        r#"echo "apt-get $*" >>"$MACHINE/asked"
case "$*" in
    *--assume-no*)
        echo '0 upgraded, 241 newly installed, 0 to remove and 0 not upgraded.'
        echo 'Need to get 149 MB of archives.'
        echo 'After this operation, 609 MB of additional disk space will be used.'
        exit 1 ;;
    *--yes*)
        [ -z "${APT_SAYS-}" ] || { echo "E: $APT_SAYS" >&2; exit 100; }
        echo 'Setting up everything ...'
        touch "$MACHINE/installed" ;;
esac"#,
    ),
    (
        "pkg-config",
        r#"[ -e "$MACHINE/installed" ] || exit 1
case "$*" in
    *analytics*) exit 1 ;;
    --modversion*) echo "$GSTREAMER" ;;
    --atleast-version=1.24*) case $GSTREAMER in 1.2[4-9]*) ;; *) exit 1 ;; esac ;;
esac"#,
    ),
    (
        "python3",
        r#"echo "python3 $*" >>"$MACHINE/asked"
case "$*" in
    *'pip download'*) exit "${PIP_ENDS-0}" ;;
    '- '*) cd "$2" && touch libonnxruntime.so.1.22.0 && ln -s libonnxruntime.so.1.22.0 libonnxruntime.so.1 ;;
esac"#,
    ),
    ("ldconfig", r#"[ -z "${SYSTEMS_OWN-}" ] || echo "libonnxruntime.so.1.21 (libc6,x86-64) => $SYSTEMS_OWN""#),
];

/// A machine with nothing installed, and the scripts on it.
struct Machine {
    folder: TempDir,
}

/// How set-up went: what it said, everything in one text, and what it asked of the machine's programs.
#[derive(Debug)]
struct Went {
    well: bool,
    said: String,
    asked: String,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = Self { folder };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        for part in ["scripts", "bin"] {
            fs::create_dir(machine.path(part)).unwrap();
        }
        for script in ["setup", "env", "features", "onnxruntime.txt"] {
            fs::copy(source.join(script), machine.path("scripts").join(script)).unwrap();
        }
        for (name, does) in PROGRAMS {
            let file = machine.path("bin").join(name);
            fs::write(&file, format!("#!/bin/sh\n{does}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        // Root's tests play an ordinary user, who has to get there.
        for part in ["", "scripts", "bin"] {
            fs::set_permissions(machine.path(part), fs::Permissions::from_mode(0o777)).unwrap();
        }
        machine
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// Runs set-up as an ordinary user: without a terminal, or on one that he may use and not open.
    fn set_up(&self, arguments: &str, on_terminal: bool, with: &[(&str, &str)]) -> Went {
        let is_root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
        let drop = if is_root { "setpriv --reuid=65534 --regid=65534 --clear-groups " } else { "" };
        let plain = format!("exec {drop}scripts/setup {arguments}");
        let mut command = if on_terminal {
            let mut script = Command::new("script");
            script.args(["--quiet", "--return", "--command", &format!("chmod 0 \"$(tty)\" && {plain}"), "/dev/null"]);
            script
        } else {
            let mut shell = Command::new("sh");
            shell.args(["-c", &plain]);
            shell
        };
        command.current_dir(self.folder.path()).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        command.env("MACHINE", self.folder.path()).env("GSTREAMER", "1.22.0").envs(with.iter().copied());
        let Output { status, stdout, stderr } = command.output().expect("script and sh are on every machine");
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        let asked = fs::read_to_string(self.path("asked")).unwrap_or_default();
        Went { well: status.success(), said, asked }
    }
}

/// The words with which packages were installed.
fn installed(went: &Went) -> &str {
    went.asked.lines().find(|line| line.starts_with("apt-get") && line.contains("--yes")).expect("apt-get was asked")
}

#[test]
fn on_a_terminal_of_somebody_elses_it_says_how_much_and_then_sets_up() {
    let went = Machine::new().set_up("--for=build", true, &[]);
    assert!(went.well, "{went:?}");
    let place = |what: &str| went.said.find(what).unwrap_or_else(|| panic!("{what} is not in {}", went.said));
    assert!(place("241 packages, 149 MB to download, 609 MB on disk") < place("2 of 3: installing"));
    assert!(place("ONNX Runtime 1.22.0, 17 MB to download") < place("2 of 3: installing"));
    assert!(place("1 of 3:") < place("2 of 3:") && place("Setting up everything") < place("3 of 3:"));
    assert!(place("3 of 3:") < place("set up: Rust 1.99.0, GStreamer 1.22.0"));
    assert!(!went.said.contains("denied") && !went.said.contains("network"), "{}", went.said);
    assert!(went.asked.contains("sudo env DEBIAN_FRONTEND=noninteractive"), "{}", went.asked);
}

#[test]
fn a_second_time_it_only_checks() {
    let machine = Machine::new();
    assert!(machine.set_up("", false, &[]).well);
    fs::remove_file(machine.path("asked")).unwrap();
    let again = machine.set_up("", false, &[]);
    assert!(again.well && !again.said.contains(" of "), "{again:?}");
    assert!(!again.asked.contains("apt-get") && !again.asked.contains("download"), "{again:?}");
}

#[test]
fn building_takes_less_than_testing() {
    let (build, test) =
        (Machine::new().set_up("--for=build", false, &[]), Machine::new().set_up("--for=test", false, &[]));
    let tools = ["strace", "meson", "gstreamer1.0-plugins-bad", "gstreamer1.0-libav", "gir1.2-aravis-0.8"];
    for tool in tools {
        assert!(!installed(&build).contains(tool), "{tool}: {build:?}");
        assert!(installed(&test).contains(tool), "{tool}: {test:?}");
    }
    assert!(installed(&build).contains("libgstreamer-plugins-base1.0-dev"));
}

#[test]
fn what_gstanalytics_is_built_with_is_taken_for_tests_and_for_who_asks() {
    let newer = [("GSTREAMER", "1.26.2")];
    let package = "libgstreamer-plugins-bad1.0-dev";
    let went = |arguments| Machine::new().set_up(arguments, false, &newer);
    assert!(installed(&went("--for=test")).contains(package));
    assert!(!installed(&went("--for=test --features=none")).contains(package));
    assert!(installed(&went("--for=build --features=analytics")).contains(package));
    let build = went("--for=build");
    assert!(!installed(&build).contains(package));
    assert!(build.well && build.said.contains("FEATURES=analytics"), "{build:?}");
    // The plugin is built without, too, where it cannot be had.
    let machine = Machine::new();
    assert!(machine.set_up("--for=build", false, &newer).well);
    let went = machine.set_up("--for=test", false, &[newer[0], ("APT_SAYS", "Unable to locate package")]);
    assert!(went.asked.contains(package), "{went:?}");
    assert!(went.well && went.said.contains("without GstAnalytics"), "{went:?}");
    // And not asked for where GStreamer is too old for it.
    assert!(!installed(&Machine::new().set_up("--for=test", false, &[])).contains(package));
}

#[test]
fn a_failure_has_its_own_cause_named() {
    let causes = [
        ("APT_SAYS", "Temporary failure resolving 'deb.debian.org'", "is there a network"),
        ("APT_SAYS", "You don't have enough free space in /var/cache/apt/archives/.", "not enough room"),
        ("APT_SAYS", "Could not get lock /var/lib/dpkg/lock-frontend.", "another program"),
        ("APT_SAYS", "Unable to locate package gstreamer1.0-tools", "package sources"),
        ("APT_SAYS", "dpkg was interrupted, you must manually run", "not in order"),
        ("APT_SAYS", "Sub-process returned an error code", "what it said is above"),
        ("SUDO_SAYS", "sudo: a password is required", "sudo did not let"),
    ];
    for (who, says, named) in causes {
        for on_terminal in [false, true] {
            let went = Machine::new().set_up("--for=build", on_terminal, &[(who, says)]);
            assert!(!went.well, "{says}: {went:?}");
            assert!(went.said.contains(says) && went.said.contains(named), "{says}: {went:?}");
            let blames_network = went.said.contains("network");
            assert_eq!(blames_network, named.contains("network"), "{says}: {went:?}");
        }
    }
}

#[test]
fn elsewhere_than_on_linux_it_refuses_in_a_line() {
    let machine = Machine::new();
    let went = machine.set_up("", false, &[("SYSTEM", "Darwin")]);
    assert!(!went.well);
    assert_eq!(went.said.lines().count(), 1, "{went:?}");
    assert!(went.said.contains("Darwin") && went.said.contains("virtual machine"), "{went:?}");
    assert!(went.asked.is_empty() && !machine.path("target").exists(), "{went:?}");
}

#[test]
fn the_pinned_runtime_is_taken_though_the_system_has_one_and_the_users_own_is_kept() {
    let machine = Machine::new();
    let own = machine.path("libonnxruntime.so.1.21.0");
    fs::write(&own, "").unwrap();
    let own = own.to_str().unwrap();

    let went = machine.set_up("--for=build", false, &[("SYSTEMS_OWN", own)]);
    assert!(went.well && went.said.contains("target/onnxruntime/libonnxruntime.so.1"), "{went:?}");

    // Where it cannot be fetched, the system's serves; where there is none either, that is the end.
    let system = Machine::new().set_up("--for=build", false, &[("SYSTEMS_OWN", own), ("PIP_ENDS", "1")]);
    assert!(system.well && system.said.trim_end().ends_with(own), "{system:?}");
    let neither = Machine::new().set_up("--for=build", false, &[("PIP_ENDS", "1")]);
    assert!(!neither.well && neither.said.contains("ORT_DYLIB_PATH"), "{neither:?}");

    let users = Machine::new().set_up("--for=build", false, &[("ORT_DYLIB_PATH", own)]);
    assert!(users.well && users.said.trim_end().ends_with(own) && !users.asked.contains("download"), "{users:?}");
}
