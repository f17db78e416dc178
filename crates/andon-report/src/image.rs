// SPDX-License-Identifier: MPL-2.0
//! Pictures inside a page.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{Markup, html};

/// A picture as a file of a format that every browser reads.
pub struct Image {
    /// The file.
    pub bytes: Vec<u8>,
    /// The file's MIME type.
    pub mime: &'static str,
}

impl Image {
    /// The file as a `data:` address.
    pub fn address(&self) -> String {
        format!("data:{};base64,{}", self.mime, STANDARD.encode(&self.bytes))
    }

    /// The picture as an element. Readers who cannot see it get `alt`.
    pub fn html(&self, alt: &str) -> Markup {
        html! { img src=(self.address()) alt=(alt); }
    }
}
