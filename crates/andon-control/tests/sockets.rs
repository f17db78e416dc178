// SPDX-License-Identifier: MPL-2.0
//! The files of the sockets: who may come, what is replaced, and what is left alone.

mod common;

use std::{
    fs,
    io::Read,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::{Arc, Barrier},
    time::Duration,
};

use andon_control::{
    address::Address,
    client::Client,
    journal::{Journal, Limits},
};
use common::{CHILD, Made, PATIENCE, Served, alone, open, paths, until};
use rustix::process::{Resource, Rlimit, getegid, geteuid, getrlimit, setrlimit};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn parts() -> (tempfile::TempDir, Journal, Arc<Made>) {
    let journal = Journal::start(Limits::default()).unwrap().0;
    (tempfile::tempdir().unwrap(), journal, Arc::new(Made::default()))
}

#[test]
fn the_sockets_have_exactly_the_mode_and_group_that_were_asked_for() {
    let group = getegid().as_raw();
    let cases = [
        (String::new(), 0o600, 0o600),
        ("mode=0666".into(), 0o666, 0o666),
        ("look-mode=0666".into(), 0o600, 0o666),
        (format!("mode=0660&group={group}"), 0o660, 0o660),
    ];
    for (options, full_mode, look_mode) in cases {
        let served = Served::with(Limits::default(), &options);
        let (full, look) = paths(&served);
        assert_eq!((mode(&full), mode(&look)), (full_mode, look_mode), "{options}");
        assert_eq!(fs::metadata(&full).unwrap().gid(), group);
        drop(served.server);
        assert!(!full.exists() && !look.exists(), "removed");
    }
}

#[test]
fn what_cannot_be_opened_says_why_and_leaves_nothing_behind() {
    let (folder, journal, line) = parts();
    let at = folder.path();
    fs::write(at.join("text"), "mine").unwrap();
    let target = UnixListener::bind(at.join("target")).unwrap();
    symlink(at.join("target"), at.join("link")).unwrap();
    let _live = UnixListener::bind(at.join("taken.look")).unwrap();
    let (open_to_all, sticky) = (at.join("open"), at.join("sticky"));
    for (folder, mode) in [(&open_to_all, 0o777), (&sticky, 0o1777)] {
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    }
    let before = fs::read_dir(at).unwrap().count();
    let cases = [
        ("none/x", "", "make it first"),
        ("text", "", "no socket; it is left alone"),
        ("link", "", "no socket; it is left alone"),
        ("taken", "", "another process listens on"),
        ("open/x", "", "others may write to the folder"),
        ("x", "mode=0660&group=no-such-group", "no group \"no-such-group\""),
        ("text/x", "", "Not a directory"),
    ];
    for (path, options, why) in cases {
        let error = open(&at.join(path), options, &line, &journal).err().expect(path).to_string();
        assert!(error.contains(why) && error.starts_with("the line has no control socket"), "{path}: {error}");
    }
    if !geteuid().is_root() && !rustix::process::getgroups().unwrap().iter().any(|g| g.as_raw() == 0) {
        let error = open(&at.join("x"), "mode=0660&group=0", &line, &journal).err().unwrap().to_string();
        assert!(error.contains("cannot be given to group 0"), "{error}");
    }
    drop(open(&sticky.join("x"), "", &line, &journal).unwrap_or_else(|e| panic!("{e}")));
    assert_eq!(fs::read_dir(at).unwrap().count(), before);
    assert_eq!(fs::read_to_string(at.join("text")).unwrap(), "mine");
    drop(target);
}

#[test]
fn a_second_line_on_a_path_is_refused_and_a_dead_one_s_socket_is_replaced() {
    let served = Served::new();
    let (full, look) = paths(&served);
    let (_folder, journal, line) = parts();
    let error = open(&full, "", &line, &journal).err().unwrap().to_string();
    assert!(error.contains("another process listens") && error.contains("unix:FOLDER/"), "{error}");
    assert!(Client::connect(&full).is_ok(), "the first goes on");
    served.server.remove_files();
    for path in [&full, &look] {
        drop(UnixListener::bind(path).unwrap());
    }
    let again = open(&full, "", &line, &journal).unwrap_or_else(|e| panic!("{e}"));
    assert!(Client::connect(&look).is_ok());
    drop(served.server);
    assert!(Client::connect(&full).is_ok(), "who ends removes only what is its own");
    fs::remove_file(&full).unwrap();
    fs::write(&full, "mine").unwrap();
    drop(again);
    assert!(full.exists() && !look.exists());
}

#[test]
fn of_many_that_start_at_once_one_has_the_socket() {
    let (folder, journal, line) = parts();
    let path = folder.path().join("x.sock");
    drop(UnixListener::bind(&path).unwrap());
    let together = Barrier::new(8);
    let opened: Vec<_> = std::thread::scope(|scope| {
        let start = || {
            together.wait();
            open(&path, "", &line, &journal)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1);
    let refused = opened.iter().filter_map(|opened| opened.as_ref().err()).map(ToString::to_string);
    assert!(refused.into_iter().all(|why| why.contains("another process listens")));
    assert!(Client::connect(&path).is_ok());
}

#[test]
fn a_process_without_descriptors_is_told_and_a_client_waits_for_one() {
    if std::env::var_os(CHILD).is_none() {
        return alone("a_process_without_descriptors_is_told_and_a_client_waits_for_one", &[]);
    }
    let (folder, journal, line) = parts();
    let path = folder.path().join("x.sock");
    let limit = |current| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum }).unwrap();
    };
    // The lowest number that is free, which is what the limit is about.
    let free = || std::os::fd::AsRawFd::as_raw_fd(&fs::File::open("/").unwrap()) as u64;
    limit(free() + 1);
    let error = open(&path, "", &line, &journal).err().unwrap().to_string();
    limit(1000);
    assert!(error.contains("no descriptor left"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let _server = open(&path, "", &line, &journal).unwrap_or_else(|e| panic!("{e}"));
    let first = Client::connect(&path).unwrap();
    limit(free() + 1);
    let mut waiting = UnixStream::connect(&path).unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut hello = [0; 9];
    assert!(waiting.read(&mut hello).is_err(), "there is no descriptor for it");
    limit(1000);
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    waiting.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"{\"event\":");
    drop(first);
}

#[test]
fn the_folder_of_the_session_is_made_for_its_user_alone() {
    let Some(session) = std::env::var_os("ANDON_CONTROL_TEST_SESSION") else {
        let session = tempfile::tempdir().unwrap();
        let name = "the_folder_of_the_session_is_made_for_its_user_alone";
        alone(name, &[("XDG_RUNTIME_DIR", session.path()), ("ANDON_CONTROL_TEST_SESSION", session.path())]);
        return alone(
            name,
            &[("XDG_RUNTIME_DIR", &session.path().join("none")), ("ANDON_CONTROL_TEST_SESSION", Path::new("none"))],
        );
    };
    let (_folder, journal, line) = parts();
    let address = Address::parse("unix:").unwrap();
    let opened = andon_control::serve::Server::open(&address, "line 1", "0.1.0", line, journal);
    if session == "none" {
        let error = opened.err().unwrap().to_string();
        return assert!(error.contains("make it first"), "without a session there is no folder: {error}");
    }
    let server = opened.unwrap_or_else(|e| panic!("{e}"));
    let folder = Path::new(&session).join("andon");
    assert_eq!((mode(&folder), server.path().parent()), (0o700, Some(folder.as_path())));
    let name = format!("line_1-{}.sock", std::process::id());
    assert_eq!(server.path().file_name().unwrap().to_str().unwrap(), name);
    until(|| andon_control::client::lines(&folder).len() == 1);
}
