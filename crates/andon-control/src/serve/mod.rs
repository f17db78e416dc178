// SPDX-License-Identifier: MPL-2.0
//! The end of the socket that serves: one thread for all clients, a few that do what they ask for.
//!
//! What a client can do to the line is bounded: its place among [`crate::MOST_CLIENTS`], what it sends and has not read, how
//! often it asks. A client that reads slowly costs nothing but that: its subscription is a number of the next event, and what
//! is not kept any more when it comes to it is a gap.

mod desk;
mod guest;
mod hub;
mod line;
mod pace;
mod workers;

use std::{
    io,
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

pub use self::line::{Caller, Line};
use self::{
    hub::{Hub, Patience},
    workers::Workers,
};
pub use crate::socket::OpenError;
use crate::{
    PROTOCOL,
    address::Address,
    journal::Journal,
    reply::{Access, Hello},
    socket::{self, Place},
    users::{HANDS_OVER, stand_back},
};

/// The sockets of a line, while it lives.
pub struct Server {
    places: [Arc<Place>; 2],
    counter: Arc<OwnedFd>,
    end: Arc<AtomicBool>,
    hub: Option<JoinHandle<()>>,
    process: u32,
}

impl Server {
    /// Opens the sockets of a line and serves them until it is dropped, which removes their files. `name` is that of the line
    /// if the address gives none, `andon` the version of Andon.
    ///
    /// # Errors
    ///
    /// In words, if there is no such folder, somebody listens there already, the mode cannot be had, or the process has no
    /// descriptor or thread left. The line can do without.
    pub fn open(
        address: &Address,
        name: &str,
        andon: &str,
        line: Arc<dyn Line>,
        journal: Journal,
    ) -> Result<Self, OpenError> {
        Self::open_with(address, name, andon, line, journal, Patience::default())
    }

    pub(crate) fn open_with(
        address: &Address,
        name: &str,
        andon: &str,
        line: Arc<dyn Line>,
        journal: Journal,
        patience: Patience,
    ) -> Result<Self, OpenError> {
        let failed = |what: &str, error: io::Error| OpenError(format!("{what}: {error}"));
        let (full, look) = socket::open(address, name)?;
        let places = [full.place.clone(), look.place.clone()];
        let counter = Arc::new(hub::counter().map_err(|e| failed("a counter (eventfd) cannot be made", e))?);
        journal.watch(&counter);
        let process = std::process::id();
        let hello = Hello {
            protocol: PROTOCOL,
            andon: andon.into(),
            name: address.name.clone().unwrap_or_else(|| name.into()),
            pid: process,
            run: journal.run(),
            seq: 0,
            access: Access::Look,
        };
        let end = Arc::new(AtomicBool::new(false));
        let workers = Workers::new(line, counter.clone());
        let listening = [full, look];
        let hub = Hub { listening, counter: counter.clone(), journal, workers, hello, patience, end: end.clone() };
        let hub = std::thread::Builder::new().name("andon-control".into()).spawn(move || {
            stand_back(HANDS_OVER);
            hub.run();
        });
        let hub = Some(hub.map_err(|e| failed("a thread cannot be made", e))?);
        Ok(Self { places, counter, end, hub, process })
    }

    /// Where the full socket is.
    pub fn path(&self) -> &Path {
        &self.places[0].path
    }

    /// Where the read-only socket is.
    pub fn look_path(&self) -> &Path {
        &self.places[1].path
    }

    /// Removes the files of the sockets, and waits for no thread: for a process that exits. A second time it does nothing.
    pub fn remove_files(&self) {
        if self.is_ours() {
            self.places.iter().for_each(|place| place.remove());
        }
    }

    /// A child that was forked off has the server too, but neither its threads nor a right to its files.
    fn is_ours(&self) -> bool {
        std::process::id() == self.process
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.is_ours() {
            return;
        }
        self.end.store(true, Ordering::Release);
        let _ = rustix::io::write(&self.counter, &1_u64.to_ne_bytes());
        if let Some(hub) = self.hub.take() {
            let _ = hub.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use parking_lot::Mutex;
    use serde_json::Value;

    use super::*;
    use crate::{
        client::Client,
        journal::Limits,
        reply::{Outcome, Refusal},
        request::Request,
    };

    /// Hangs in `calls` until the test lets go.
    struct Hangs(Mutex<mpsc::Receiver<()>>);

    impl Line for Hangs {
        fn handle(&self, _: &Caller, request: &Request) -> Result<Value, Refusal> {
            if let Request::Call { .. } = request {
                let _ = self.0.lock().recv();
            }
            Ok(Value::Null)
        }
    }

    fn served(patience: Patience) -> (mpsc::Sender<()>, tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::parse(&format!("unix:{}/x", folder.path().display())).unwrap();
        let (go, wait) = mpsc::channel();
        let line = Arc::new(Hangs(Mutex::new(wait)));
        let (journal, _) = Journal::start(Limits::default()).unwrap();
        let server = Server::open_with(&address, "l", "0", line, journal, patience).unwrap_or_else(|e| panic!("{e}"));
        (go, folder, server)
    }

    #[test]
    fn a_place_that_nobody_uses_is_given_to_who_comes() {
        let (_go, _folder, server) = served(Patience { unused: Duration::ZERO, ..Patience::default() });
        let mut waits = Client::connect(server.path()).unwrap();
        waits.subscribe(&[], &[], None).unwrap();
        let mut silent: Vec<_> = (1..crate::MOST_CLIENTS).map(|_| Client::connect(server.path()).unwrap()).collect();
        let refused = Client::connect(server.look_path()).err().unwrap();
        assert_eq!(refused.outcome(), Some(Outcome::Busy), "who may do less takes nobody's place");
        let mut newcomer = Client::connect(server.path()).unwrap();
        newcomer.get("m", "p").unwrap();
        let gone = silent.iter_mut().filter_map(|client| client.get("m", "p").err()).count();
        assert_eq!(gone, 1, "one of those that only sat there");
        waits.get("m", "p").unwrap();
    }

    #[test]
    fn what_takes_too_long_is_told_and_what_was_not_begun_is_taken_back() {
        let (go, _folder, server) = served(Patience { reply: Duration::from_millis(300), ..Patience::default() });
        let hang = || {
            let mut client = Client::connect(server.path()).unwrap();
            let refused = client.call("m", "capture", [].into()).unwrap_err();
            (client, refused.outcome().unwrap(), refused.to_string())
        };
        let mut stuck: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers::MOST_THREADS).map(|_| scope.spawn(hang)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(stuck.iter().all(|(_, told, why)| *told == Outcome::Timeout && why.contains("may still happen")));
        let refused = stuck[0].0.get("m", "p").unwrap_err();
        assert!(
            refused.outcome() == Some(Outcome::Busy) && refused.to_string().contains("earlier request"),
            "{refused}"
        );
        stuck[0].0.subscribe(&[], &[], None).unwrap();
        let mut other = Client::connect(server.path()).unwrap();
        let refused = other.get("m", "p").unwrap_err();
        assert!(refused.outcome() == Some(Outcome::Busy) && refused.to_string().contains("not begun"), "{refused}");
        drop(go);
        while other.get("m", "p").is_err() {
            std::thread::yield_now();
        }
    }
}
