// SPDX-License-Identifier: MPL-2.0
//! Which texts name files or folders.

/// A property that is a text.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The element; empty for a property that means the same in every element that has it.
    pub element: &'static str,
    /// The property.
    pub property: &'static str,
    /// Whether it names a file or folder, or may have one named. Over the control socket only the process's own user and root
    /// may set such a property.
    pub names_path: bool,
}

impl Text {
    /// Returns whether it is that property.
    pub fn is_of(&self, element: &str, property: &str) -> bool {
        self.property == property && (self.element.is_empty() || self.element == element)
    }
}

const fn path(element: &'static str, property: &'static str) -> Text {
    Text { element, property, names_path: true }
}

const fn word(element: &'static str, property: &'static str) -> Text {
    Text { element, property, names_path: false }
}

/// Every text that can be set, by element.
pub const TEXTS: &[Text] = &[
    word("", "name"),
    word("", "part-by"),
    path("abjoin", "labels"),
    path("abjoin", "ledger"),
    path("abjoin", "store"),
    word("abtee", "key"),
    word("abtee", "ramp"),
    word("defecttestsrc", "defects"),
    word("defecttestsrc", "lot"),
    word("defecttestsrc", "sku"),
    word("defecttestsrc", "station"),
    path("driftmeter", "persist"),
    path("driftmeter", "reference"),
    word("driftmeter", "reference-key"),
    word("framesampler", "budgets"),
    path("framesampler", "location"),
    word("framesampler", "mask"),
    word("framesampler", "near"),
    word("framesampler", "when"),
    // A provider's options name folders for what it compiles, and libraries.
    path("modelinfer", "execution-providers"),
    path("modelinfer", "image-root"),
    path("modelinfer", "labels"),
    path("modelinfer", "model"),
    word("modelinfer", "share"),
    path("modelinfer", "trusted-keys"),
];
