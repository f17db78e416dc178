// SPDX-License-Identifier: MPL-2.0
//! Opens the socket, once a process. Without it the line runs on, and says so.

use std::sync::{
    Arc, Once, OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use andon_control::{
    address::Address,
    journal::{Journal, Limits},
    serve::Server,
};

use super::{find, hands, line::GstLine, publish};

/// The address, in the environment.
const ADDRESS: &str = "ANDON_CONTROL";
/// Shows every element of the line if it is `1`.
const ALL: &str = "ANDON_CONTROL_ALL";

/// The socket, for the rest of the process.
static SERVER: OnceLock<Server> = OnceLock::new();
static IS_OPEN: AtomicBool = AtomicBool::new(false);
static NAME: OnceLock<String> = OnceLock::new();

/// Gives the line a name, which clients see, before its first element reaches READY. `?name=` in the address goes before it;
/// without either, the program's name is the line's.
pub fn name(name: &str) {
    // The first name counts.
    let _ = NAME.set(name.into());
}

/// Returns whether the socket is open.
pub(super) fn is_open() -> bool {
    IS_OPEN.load(Relaxed)
}

/// Opens the socket if the environment asks for one and nobody has tried. What goes wrong, `element` warns of. Returns whether
/// there is a socket.
pub(super) fn open(element: &gst::Element) -> bool {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(address) = std::env::var_os(ADDRESS).filter(|address| !address.is_empty()) else { return };
        match try_open(&address.to_string_lossy()) {
            Ok(()) => IS_OPEN.store(true, Relaxed),
            Err(why) => gst::element_warning!(
                element,
                gst::ResourceError::OpenReadWrite,
                ("the line runs without its control socket: {ADDRESS}={}: {why}", address.to_string_lossy())
            ),
        }
    });
    is_open()
}

fn try_open(address: &str) -> Result<(), String> {
    let address = Address::parse(address).map_err(|why| why.to_string())?;
    if std::env::var_os(ALL).is_some_and(|all| all == "1") {
        find::show_all();
    }
    let threads = |why: std::io::Error| format!("there is no thread for it: {why}");
    hands::start().map_err(threads)?;
    let (journal, publisher) = Journal::start(Limits::default()).map_err(threads)?;
    let program = std::env::current_exe().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    let name = NAME.get().cloned().or(program).unwrap_or_default();
    let server = Server::open(&address, &name, env!("CARGO_PKG_VERSION"), Arc::new(GstLine), journal);
    let server = server.map_err(|why| why.to_string())?;
    publish::begin(publisher);
    // Only this function sets it, once.
    let _ = SERVER.set(server);
    remove_at_exit();
    Ok(())
}

/// Removes the socket's files, for a program that ends without the C library's `exit`.
pub fn remove_files() {
    if let Some(server) = SERVER.get() {
        server.remove_files();
    }
}

/// Removes the socket's files when the process ends.
fn remove_at_exit() {
    unsafe extern "C" {
        fn atexit(callback: extern "C" fn()) -> std::ffi::c_int;
    }
    extern "C" fn remove() {
        remove_files();
    }
    // SAFETY: the C library's own function. What it calls stays in memory: GStreamer never unloads a plugin, and a program
    // that links this crate holds it.
    if unsafe { atexit(remove) } != 0 {
        gst::warning!(
            gst::CAT_RUST,
            "the control socket stays behind when this process ends: the next one replaces it"
        );
    }
}
