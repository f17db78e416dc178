// SPDX-License-Identifier: MPL-2.0
//! Hands the version and the date of the commit, and where the plugin comes from, to `plugin_define!`.

/// What the plugin says of where it comes from, unless whoever builds it says in `ANDON_ORIGIN` where it is to be had.
const ORIGIN: &str = "the Andon project (built from source)";

fn main() {
    gst_plugin_version_helper::info();
    let origin = std::env::var("ANDON_ORIGIN").ok().filter(|origin| !origin.is_empty());
    // No word of when to ask again: so cargo does whenever a file of the plugin has changed, and the commit stays true.
    println!("cargo:rustc-env=ANDON_ORIGIN={}", origin.as_deref().unwrap_or(ORIGIN));
}
