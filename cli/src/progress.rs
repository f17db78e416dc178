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

/// Returns the style of a stream's bar: of `seconds`, if its length is known, beside a message or alone.
pub fn stream(seconds: Option<f64>, with_message: bool) -> ProgressStyle {
    let Some(seconds) = seconds else { return style("{spinner} {wide_msg}") };
    let width = if with_message { 16 } else { 40 };
    style(&format!("{{bar:{width}}} {{percent}}% of {seconds:.0} s, {{eta}} left {{wide_msg}}"))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("only numbers are put into a constant template")
}
