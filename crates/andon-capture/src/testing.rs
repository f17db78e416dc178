// SPDX-License-Identifier: MPL-2.0
//! Frames for tests that need no stream.

use std::sync::Arc;

use andon_core::{
    image::Image,
    result::{Frame, Inference},
};

use crate::{HeldFrame, ReadError, StreamFrame};

/// A grey frame of 4 × 2 pixels of one value, and its results.
#[derive(Clone, Debug)]
pub struct Flat(pub u8, pub Vec<Arc<Inference>>);

impl HeldFrame for Flat {
    fn with_image(&self, read: &mut dyn FnMut(&Image<'_>)) -> Result<(), ReadError> {
        let pixels = [self.0; 8];
        read(&Image::gray8(&pixels, 4, 2).expect("4 × 2 is 8"));
        Ok(())
    }

    fn results(&self) -> Vec<Arc<Inference>> {
        self.1.clone()
    }
}

/// Returns the frame `id` of this run; its pixels have that value.
pub fn frame(id: u64, results: Vec<Arc<Inference>>) -> StreamFrame<Flat> {
    let mut identity = Frame::new(None);
    identity.id = id;
    StreamFrame { pts_ns: Some(id * 40), ..StreamFrame::new(identity, "video/x-raw", Flat(id as u8, results)) }
}
