// SPDX-License-Identifier: MPL-2.0
//! An input that a template fills: which template a frame needs.

use std::sync::Arc;

use andon_core::result::{Fields, Part};
use andon_model::Pattern;

use super::{
    cache::{Absent, Templates},
    file::Template,
};
use crate::cancel::Cancel;

/// Why a frame has no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no folder of templates.
    #[error("image-root is not set: set it to the folder of the templates")]
    NoRoot,
    /// Part and fields do not fill the pattern.
    #[error("{0}")]
    Pattern(String),
    /// The file cannot be read.
    #[error("{0}")]
    File(String),
    /// The file is being read; a later frame finds it.
    #[error("template '{0}' is still being read")]
    Loading(String),
    /// The run was cancelled while the frame waited.
    #[error("the run was cancelled")]
    Cancelled,
}

/// One input of the graph that a template fills, for one frame at a time.
pub struct TemplateInput {
    pattern: Pattern,
    /// The path below the root of the last frame's template.
    key: String,
    /// The path below the root of this frame's template.
    next: String,
    /// The count of changes of the cache when `found` was looked up.
    generation: u64,
    found: Option<Arc<Template>>,
}

impl TemplateInput {
    /// The input for the pattern of a checked manifest.
    pub fn new(pattern: Pattern) -> Self {
        Self { pattern, key: String::new(), next: String::new(), generation: 0, found: None }
    }

    /// Finds the template of a frame that shows `part` and has `fields`. With `wait` it waits for a file that is being
    /// read, until runs are cancelled.
    ///
    /// # Errors
    /// Says why there is none: no folder, a name in the pattern without a value, a file that cannot be read, or one that
    /// is still being read.
    pub fn find(
        &mut self,
        templates: Option<&Templates>,
        part: Option<&Part>,
        fields: &Fields,
        wait: Option<&Cancel>,
    ) -> Result<&Arc<Template>, TemplateError> {
        let templates = templates.ok_or(TemplateError::NoRoot)?;
        let filled = self.pattern.fill(part, fields, &mut self.next);
        filled.map_err(|e| TemplateError::Pattern(e.to_string()))?;
        let mut generation = templates.generation();
        if self.next != self.key || generation != self.generation || self.found.is_none() {
            std::mem::swap(&mut self.key, &mut self.next);
            self.found = None;
            loop {
                match templates.look_up(&self.key) {
                    Ok(template) => {
                        self.found = Some(template);
                        break;
                    }
                    Err(Absent::Failed(reason)) => return Err(TemplateError::File(reason)),
                    Err(Absent::Loading) => {}
                }
                let Some(cancel) = wait else {
                    return Err(TemplateError::Loading(self.key.clone()));
                };
                if templates.wait(generation, cancel) {
                    return Err(TemplateError::Cancelled);
                }
                generation = templates.generation();
            }
            self.generation = generation;
        }
        Ok(self.found.as_ref().expect("it was found just now, or before"))
    }
}
