// SPDX-License-Identifier: MPL-2.0
//! A frame held for a capture, with what its results and its caps say of it.

use std::sync::Arc;

use andon_capture::{HeldFrame, ReadError};
use andon_core::{image::Image, result::Inference};
use gst_video::VideoInfo;

use crate::{
    elements::memory::{HeldBuffer, Holder},
    meta::{read_all, video},
};

/// A frame that is held: its own buffer object over shared or copied memory.
#[derive(Clone, Debug)]
pub struct Kept {
    buffer: gst::Buffer,
    info: Arc<VideoInfo>,
    /// The bits of a sample of 16-bit grey; 0 for all.
    bits: u32,
}

impl Kept {
    /// Holds a passing frame; returns it, and whether its pixels were copied. `always` copies them in any case. `None` if
    /// the memory cannot be copied. `bits` is what a sample of 16-bit grey has; 0 for all 16.
    pub fn hold(
        holder: &mut Holder,
        buffer: &gst::BufferRef,
        info: &Arc<VideoInfo>,
        bits: u32,
        always: bool,
    ) -> Option<(Self, bool)> {
        let held = if always { HeldBuffer::Copied(buffer.copy_deep().ok()?) } else { holder.hold(buffer)? };
        let (buffer, is_copied) = match held {
            HeldBuffer::Shared(buffer) => (buffer, false),
            HeldBuffer::Copied(buffer) => (buffer, true),
        };
        Some((Self { buffer, info: info.clone(), bits }, is_copied))
    }

    /// Bytes of its pixels.
    pub fn bytes(&self) -> usize {
        self.buffer.size()
    }
}

impl HeldFrame for Kept {
    fn with_image(&self, read: &mut dyn FnMut(&Image<'_>)) -> Result<(), ReadError> {
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(&self.buffer, &self.info)
            .map_err(|e| ReadError::Unmapped(e.into()))?;
        read(&video::image(&frame, self.bits).ok_or(ReadError::Layout)?);
        Ok(())
    }

    fn results(&self) -> Vec<Arc<Inference>> {
        read_all(&self.buffer, [self.info.width(), self.info.height()])
    }
}
