// SPDX-License-Identifier: MPL-2.0
//! The control socket of a running line: what is said on it, the end that serves it, and a client.
//!
//! A line listens on a Unix socket. Each message is one line of JSON: requests from the client, replies and events from the
//! line, in the manner of mpv's IPC. docs/control.md says it for people who write clients in other languages.
//!
//! This crate knows no GStreamer: what a request does is the plugin's business.

#![warn(missing_docs)]

pub mod address;
pub mod client;
pub mod event;
pub mod journal;
pub mod reply;
pub mod request;
pub mod serve;
mod socket;
mod strict;
mod users;

/// The version of the protocol. It grows when an old client would misread what a new line says.
pub const PROTOCOL: u32 = 1;

/// The longest line that a client may send, bytes, its end included.
pub const LONGEST_REQUEST: usize = 256 << 10;

/// The most clients at a time, of both sockets together. Who comes when there are that many is closed at once.
pub const MOST_CLIENTS: usize = 32;
