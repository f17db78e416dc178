// SPDX-License-Identifier: MPL-2.0
//! A frame of the stream, held in memory.

use std::sync::Arc;

use andon_core::{
    image::Image,
    result::{Fields, Frame, Inference},
};
use uuid::Uuid;

use crate::error::ReadError;

/// Names a frame: its run, and its id within the run.
pub type FrameKey = (Uuid, u64);

/// A frame held in memory. Only the writer's thread reads it.
pub trait HeldFrame: Clone + Send + 'static {
    /// Calls `read` with the image.
    ///
    /// # Errors
    /// Says why the pixels cannot be read.
    fn with_image(&self, read: &mut dyn FnMut(&Image<'_>)) -> Result<(), ReadError>;

    /// Returns the results that the frame carried as it passed, at most one for each arm.
    fn results(&self) -> Vec<Arc<Inference>>;
}

/// A frame of the stream with what is known of it.
#[derive(Clone, Debug)]
pub struct StreamFrame<H> {
    /// Run, id and part of the frame.
    pub identity: Frame,
    /// Presentation time, ns.
    pub pts_ns: Option<u64>,
    /// The stream's caps when the frame passed.
    pub caps: Arc<str>,
    /// The named fields when the frame passed.
    pub fields: Arc<Fields>,
    /// The pixels.
    pub held: H,
    /// Results that came after the frame had passed, at most one for each arm.
    pub late: Vec<Arc<Inference>>,
}

impl<H: HeldFrame> StreamFrame<H> {
    /// Makes a frame without a presentation time, fields or late results.
    pub fn new(identity: Frame, caps: &str, held: H) -> Self {
        Self { identity, pts_ns: None, caps: caps.into(), fields: Arc::default(), held, late: Vec::new() }
    }

    /// Returns the name of the frame.
    pub fn key(&self) -> FrameKey {
        (self.identity.run, self.identity.id)
    }

    /// Returns the latest result of every arm.
    pub(crate) fn results(&self) -> Vec<Arc<Inference>> {
        let mut all = self.held.results();
        self.late.iter().for_each(|i| replace_result(&mut all, i.clone()));
        all
    }
}

/// Puts `new` in place of the earlier result of the same arm, element and stage.
pub(crate) fn replace_result(results: &mut Vec<Arc<Inference>>, new: Arc<Inference>) {
    match results.iter_mut().find(|i| (i.arm, i.stage, &i.element) == (new.arm, new.stage, &new.element)) {
        Some(old) => *old = new,
        None => results.push(new),
    }
}
