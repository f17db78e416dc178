// SPDX-License-Identifier: MPL-2.0
//! Progress bars on the standard error, all in one style. They are shown on terminals only.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};

/// Makes a bar of `steps` steps behind the words `doing`. A message of the bar stands at its end.
pub fn bar(steps: usize, doing: impl Into<Cow<'static, str>>) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64).with_prefix(doing);
    bar.with_style(style("{prefix}: {bar:40} {pos}/{len}, {per_sec}, {eta} left {msg}"))
}

/// Makes a bar for work without a known end, which counts its steps.
pub fn spinner(doing: impl Into<Cow<'static, str>>) -> ProgressBar {
    ProgressBar::new_spinner().with_prefix(doing).with_style(style("{spinner} {prefix}: {pos} {msg}"))
}

/// Returns the style of a stream's bar: how far it is, if its length is known, and its time before a message.
pub fn stream(has_length: bool, with_message: bool) -> ProgressStyle {
    match (has_length, with_message) {
        (false, _) => style("{spinner} {prefix} {wide_msg}"),
        (true, true) => style("{bar:16} {prefix} {wide_msg}"),
        (true, false) => style("{bar:40} {prefix}"),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a constant template")
}
