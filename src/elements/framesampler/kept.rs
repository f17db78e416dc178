// SPDX-License-Identifier: MPL-2.0
//! A buffer held on to without holding up who lent it.

use std::sync::Arc;

use andon_capture::{HeldFrame, ReadError};
use andon_core::{
    image::Image,
    result::{Arm, Inference},
};
use gst_video::VideoInfo;

use crate::meta::{AndonInferenceMeta, read_any, video};

/// A frame held on to: its own buffer object over shared or copied memory.
#[derive(Clone, Debug)]
pub struct Kept {
    buffer: gst::Buffer,
    info: Arc<VideoInfo>,
}

impl Kept {
    /// Holds on to a passing frame; answers whether its pixels had to be copied.
    ///
    /// Plain system memory is shared: a pool that gets such a buffer back sees that its memory is still in use, lets it
    /// go, and allocates afresh, so nobody waits. Memory of any other kind, memory that must not be shared, and buffers
    /// tied to another buffer belong to somebody who may have few: their pixels are copied. So it is with `always`.
    pub fn hold(buffer: &gst::BufferRef, info: &Arc<VideoInfo>, always: bool) -> Option<(Self, bool)> {
        let deep = always || !is_plain(buffer);
        let buffer = if deep { buffer.copy_deep().ok()? } else { shared(buffer)? };
        Some((Self { buffer, info: info.clone() }, deep))
    }

    /// Bytes of its pixels.
    pub fn bytes(&self) -> usize {
        self.buffer.size()
    }
}

/// A buffer of one's own over the same memory. A plain copy would not do: with GStreamer 1.26 one of a pool's buffer
/// keeps that buffer from going home, and a pool of a few then stands still.
fn shared(buffer: &gst::BufferRef) -> Option<gst::Buffer> {
    let mut own = gst::Buffer::new();
    let target = own.get_mut()?;
    let all_but_memory = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS | gst::BufferCopyFlags::META;
    buffer.copy_into(target, all_but_memory, ..).ok()?;
    buffer.iter_memories_owned().for_each(|m| target.append_memory(m));
    Some(own)
}

fn is_plain(buffer: &gst::BufferRef) -> bool {
    buffer.meta::<gst::ParentBufferMeta>().is_none()
        && buffer.iter_memories().all(|m| m.is_type("SystemMemory") && !m.flags().contains(gst::MemoryFlags::NO_SHARE))
}

impl HeldFrame for Kept {
    fn with_image(&self, read: &mut dyn FnMut(&Image<'_>)) -> Result<(), ReadError> {
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(&self.buffer, &self.info)
            .map_err(|e| ReadError::Unmapped(e.into()))?;
        read(&video::image(&frame).ok_or(ReadError::Layout)?);
        Ok(())
    }

    fn results(&self) -> Vec<Arc<Inference>> {
        let mut all = AndonInferenceMeta::all(&self.buffer);
        if !all.iter().any(|i| i.arm == Arm::A) {
            let size = [self.info.width(), self.info.height()];
            all.extend(read_any(&self.buffer, Arm::A, size));
        }
        all
    }
}
