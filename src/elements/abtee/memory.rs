// SPDX-License-Identifier: MPL-2.0
//! How arm b may hold a frame without holding the camera: shares plain memory, copies what comes from a bounded pool.

use glib::translate::*;
use gst::prelude::*;

/// Buffers that hold each other deeper than this are taken for bounded.
const MOST_PARENTS: usize = 4;

/// Makes arm b's copies; remembers the last pool it looked at, for asking a pool costs more than a shallow copy.
#[derive(Debug, Default)]
pub struct Copier {
    pool: Option<(gst::BufferPool, bool)>,
}

/// Arm b's copy of a frame.
#[derive(Debug)]
pub enum Copied {
    /// The memory is shared.
    Shallow(gst::Buffer),
    /// The memory is arm b's own.
    Deep(gst::Buffer),
}

impl Copier {
    /// A copy that starves nobody however long it is held; none where the memory cannot be copied.
    pub fn copy(&mut self, buffer: &gst::BufferRef) -> Option<Copied> {
        if self.is_plain(buffer, MOST_PARENTS) {
            Some(Copied::Shallow(buffer.copy()))
        } else {
            buffer.copy_deep().ok().map(Copied::Deep)
        }
    }

    fn is_plain(&mut self, buffer: &gst::BufferRef, parents: usize) -> bool {
        let system = |m: &gst::MemoryRef| m.allocator().is_some_and(|a| a.memory_type() == "SystemMemory");
        parents > 0
            && buffer.iter_memories().all(system)
            && !self.is_bounded(buffer)
            && buffer.iter_meta::<gst::ParentBufferMeta>().all(|m| self.is_plain(m.parent(), parents - 1))
    }

    fn is_bounded(&mut self, buffer: &gst::BufferRef) -> bool {
        // SAFETY: the buffer is alive by the borrow, and so is the pool that it came from, which it keeps a
        // reference to for as long as it lives outside of it. There is no binding for the field.
        let pool: Option<gst::BufferPool> = unsafe { from_glib_none((*buffer.as_ptr()).pool) };
        let Some(pool) = pool else { return false };
        if let Some((last, bounded)) = &self.pool
            && *last == pool
        {
            return *bounded;
        }
        let bounded = pool.config().params().is_none_or(|(_, _, _, most)| most != 0);
        self.pool = Some((pool, bounded));
        bounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(most: u32) -> gst::BufferPool {
        gst::init().unwrap();
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(Some(&gst::Caps::new_empty_simple("video/x-raw")), 64, 1, most);
        pool.set_config(config).unwrap();
        pool.set_active(true).unwrap();
        pool
    }

    fn is_shared(a: &gst::BufferRef, b: &gst::BufferRef) -> bool {
        std::ptr::eq(a.peek_memory(0).as_ptr(), b.peek_memory(0).as_ptr())
    }

    #[test]
    fn plain_memory_is_shared_also_from_a_pool_without_a_limit() {
        let free = pool(0);
        for buffer in [gst::Buffer::with_size(64).unwrap(), free.acquire_buffer(None).unwrap()] {
            let Some(Copied::Shallow(copy)) = Copier::default().copy(&buffer) else { panic!("a deep copy") };
            assert!(is_shared(&copy, &buffer));
        }
        free.set_active(false).unwrap();
    }

    #[test]
    fn memory_of_a_bounded_pool_is_copied_also_where_another_buffer_holds_it() {
        let bounded = pool(2);
        let buffer = bounded.acquire_buffer(None).unwrap();
        let mut holder = buffer.copy();
        gst::ParentBufferMeta::add(holder.get_mut().expect("a copy has one owner"), &buffer);
        let mut copier = Copier::default();
        for buffer in [holder, buffer] {
            let Some(Copied::Deep(copy)) = copier.copy(&buffer) else { panic!("a shallow copy") };
            assert!(!is_shared(&copy, &buffer));
        }
        bounded.set_active(false).unwrap();
    }
}
