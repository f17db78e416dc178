// SPDX-License-Identifier: MPL-2.0
//! Execution providers: the list that the user requests, what the runtime library has, and why one was passed over.

mod list;
mod provider;
mod reason;

pub(crate) use list::requested;
pub use list::{patience, requested_providers};
pub use provider::Provider;
pub(crate) use provider::{ProviderError, Requested};
pub(crate) use reason::reason;
