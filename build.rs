// SPDX-License-Identifier: MPL-2.0
//! Hands the version and the date of the commit to `plugin_define!`.

fn main() {
    gst_plugin_version_helper::info()
}
