// SPDX-License-Identifier: MPL-2.0
//! Inputs that come from image files: the golden template of the part that a frame shows. A thread of its own decodes
//! the files, and a small cache keeps the templates.
//!
//! A pattern such as `{sku}/{view}.png` becomes a path below the image root, from the part and the frame's fields.
//! [`TemplateInput::find`] returns at once, with the template or with the reason why there is none yet. As long as neither
//! the path nor the cache changes, it takes no lock and allocates nothing. A file that cannot be read is tried again
//! after a pause (one second, doubling to half a minute). A file that was loaded is checked again when another path was
//! in use in between.

mod cache;
mod file;
mod input;
#[cfg(test)]
mod tests;

pub use cache::Templates;
pub use file::Template;
pub use input::{TemplateError, TemplateInput};
