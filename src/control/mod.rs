// SPDX-License-Identifier: MPL-2.0
//! The control socket: what a running line can be told and asked from outside.
//!
//! `ANDON_CONTROL=unix:PATH` in the environment of a process makes it listen once its first Andon element reaches READY
//! (docs/control.md). The socket itself, its clients and the memory of events are of the crate `andon-control`; here is what
//! its requests do to elements, and what the line says by itself.
//!
//! An element takes part by `change_state` alone: it is in the list from READY on, and leaves it at NULL. Nothing here is
//! done on a streaming thread but handing events over, which never waits.

mod actions;
mod buses;
mod find;
mod hands;
mod heard;
mod life;
mod line;
mod list;
mod opening;
mod picture;
mod properties;
mod publish;
mod quit;
mod snapshot;
mod stream;
mod values;
mod walk;

pub use opening::{name, remove_files};
pub use quit::{allow_quit, quit_by};

pub(crate) use heard::because;
pub(crate) use life::change_state;
pub(crate) use publish::{message, result};
