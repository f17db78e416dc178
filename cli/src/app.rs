// SPDX-License-Identifier: MPL-2.0
//! What every subcommand needs: the error for wrong usage, the user's name, and GStreamer with Andon's elements.

use std::sync::LazyLock;

use anyhow::Result;

/// A mistake in how the program was called: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Starts GStreamer and registers Andon's elements, so that no plugin path is needed.
pub fn init() -> Result<()> {
    // Once only: a second registration takes the factories away from elements that exist.
    static DONE: LazyLock<Result<(), String>> = LazyLock::new(|| {
        gst::init().map_err(|e| format!("GStreamer does not start: {e}"))?;
        gstandon::plugin_register_static().map_err(|e| format!("Andon's elements cannot be registered: {e}"))
    });
    DONE.clone().map_err(anyhow::Error::msg)
}

/// The name of whoever runs the program, for records of who did what.
pub fn user() -> String {
    // Under sudo, records must name the person, not root.
    let names = ["SUDO_USER", "USER", "LOGNAME"];
    let user = names.iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    // A service or a container has none of them; the system knows who it runs as.
    user.unwrap_or_else(|| glib::user_name().to_string_lossy().into_owned())
}
