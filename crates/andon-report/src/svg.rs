// SPDX-License-Identifier: MPL-2.0
//! What every drawing shares: its root element, and how coordinates are written.

use maud::{Markup, Render, html};

/// A coordinate or a length. A tenth of a unit is finer than any screen shows.
pub(crate) struct Px(pub(crate) f64);

impl Render for Px {
    fn render_to(&self, buffer: &mut String) {
        format_args!("{:.1}", self.0).render_to(buffer);
    }
}

/// A drawing of `width` by `height` units. Screen readers read out `said`: the figures of the drawing, in words.
pub(crate) fn drawing(title: &str, said: &str, width: f64, height: f64, content: &Markup) -> Markup {
    html! {
        svg viewBox=(format_args!("0 0 {width} {height}")) role="img" aria-label=(said) {
            title { (title) }
            (content)
        }
    }
}
