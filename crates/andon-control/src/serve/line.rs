// SPDX-License-Identifier: MPL-2.0
//! What a server asks of the line that it serves.

use serde_json::Value;

use crate::{
    reply::{Access, Refusal},
    request::Request,
    users::Peer,
};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The effective user of the client's process, as the kernel says it.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its process; 0 where it has no number here, in another container.
    pub pid: u32,
    /// What it may do.
    pub access: Access,
    /// Who it is: its own word where that is believed, else `uid 1001`.
    pub name: String,
    /// Why it asks, in its own words.
    pub why: Option<String>,
}

impl Caller {
    /// The caller of a request. Its word for who it is counts if it is `believed`.
    pub(crate) fn new(peer: &Peer, access: Access, believed: bool, who: Option<String>, why: Option<String>) -> Self {
        let name = who.filter(|_| believed).unwrap_or_else(|| format!("uid {}", peer.uid));
        Self { uid: peer.uid, gid: peer.gid, pid: peer.pid, access, name, why }
    }
}

/// A line that is served.
pub trait Line: Send + Sync {
    /// Does a request and returns its `data`. It is called on threads of the server's own, of several clients at the same time;
    /// of one client one at a time. It is not called for what the server does itself (`subscribe`, `observe` and their ends),
    /// and not for what the read-only socket does not allow; an observation becomes a `get` or a `stats`.
    ///
    /// # Errors
    ///
    /// Why it was not done.
    fn handle(&self, caller: &Caller, request: &Request) -> Result<Value, Refusal>;
}
