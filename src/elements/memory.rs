// SPDX-License-Identifier: MPL-2.0
//! Whether a frame's memory may be held after the frame has gone on, and how: shared, or copied.
//!
//! A frame that is held must not starve the lender of its memory. The effect on the lender depends on the kind of
//! memory:
//!
//! | the frame's memory | its lender | held as |
//! |---|---|---|
//! | system memory without a pool | lends nothing | shared |
//! | system memory of a pool without a limit | allocates another buffer | shared |
//! | system memory of a `GstBufferPool` or `GstVideoBufferPool` with a limit | see below | shared, without parent |
//! | memory of any other pool with a limit, such as a driver's | cannot allocate another buffer | copied |
//! | other than system memory, or not to be shared | may have few | copied |
//! | a buffer with a `GstParentBufferMeta` | is the parent's lender | shared if the parent has no limit, else copied |
//!
//! GStreamer's own pools drop a buffer that comes back while its memory is in use, and allocate another for it. A plain
//! copy of their buffers does well with GStreamer 1.22. From 1.26 on the copy refers to its original by a
//! `GstParentBufferMeta`, which keeps the original out, so that a pool with a limit runs dry. Without that meta the pool
//! gets the original back, and works as with 1.22.

use std::ops::ControlFlow;

use glib::translate::*;
use gst::{ParentBufferMeta, buffer::BufferMetaForeachAction, prelude::*};

/// Chains of buffers that refer to each other are followed so far; a longer one is copied.
const MAX_PARENTS: usize = 4;

/// Holds frames. It remembers the last pool, because asking a pool for its limit costs more than a shared copy.
#[derive(Debug, Default)]
pub(crate) struct Holder {
    pool: Option<(gst::BufferPool, Limit)>,
}

/// A frame that may be held for any time.
#[derive(Debug)]
pub(crate) enum HeldBuffer {
    /// The memory is that of the frame.
    Shared(gst::Buffer),
    /// The memory is a copy.
    Copied(gst::Buffer),
}

/// How many buffers a pool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// As many as are asked for, or the buffer has no pool.
    None,
    /// A number of them, but a new one for each that it drops.
    Renewed,
    /// A number of them, and perhaps no new one for any.
    Fixed,
}

impl Holder {
    /// Returns a buffer with the frame's pixels, metas and times that may be held for any time, or `None` if the memory
    /// can neither be shared nor copied.
    pub(crate) fn hold(&mut self, buffer: &gst::BufferRef) -> Option<HeldBuffer> {
        match self.limit(buffer, MAX_PARENTS) {
            Limit::None => Some(HeldBuffer::Shared(buffer.copy())),
            Limit::Renewed => Some(HeldBuffer::Shared(without_parent(buffer)?)),
            Limit::Fixed => buffer.copy_deep().ok().map(HeldBuffer::Copied),
        }
    }

    /// The limit that a holder of `buffer` feels, with at most `parents` buffers in the chain.
    fn limit(&mut self, buffer: &gst::BufferRef, parents: usize) -> Limit {
        let is_plain =
            |m: &gst::MemoryRef| m.is_type("SystemMemory") && !m.flags().contains(gst::MemoryFlags::NO_SHARE);
        if parents == 0 || !buffer.iter_memories().all(is_plain) {
            return Limit::Fixed;
        }
        // A copy keeps the parents of its original, so a parent's pool misses that buffer as long as the copy is held.
        let mut metas = buffer.iter_meta::<ParentBufferMeta>();
        if metas.any(|meta| self.limit(meta.parent(), parents - 1) != Limit::None) {
            return Limit::Fixed;
        }
        pool_of(buffer).map_or(Limit::None, |pool| self.limit_of(pool))
    }

    fn limit_of(&mut self, pool: gst::BufferPool) -> Limit {
        if let Some((last, limit)) = &self.pool
            && *last == pool
        {
            return *limit;
        }
        let is_bounded = pool.config().params().is_none_or(|(_, _, _, max)| max != 0);
        // These two take every buffer from an allocator. Other pools may have a fixed number of frames.
        let renews = matches!(pool.type_().name(), "GstBufferPool" | "GstVideoBufferPool");
        let limit = match (is_bounded, renews) {
            (false, _) => Limit::None,
            (true, true) => Limit::Renewed,
            (true, false) => Limit::Fixed,
        };
        self.pool = Some((pool, limit));
        limit
    }
}

/// The pool that the buffer goes back to.
fn pool_of(buffer: &gst::BufferRef) -> Option<gst::BufferPool> {
    // SAFETY: the buffer is alive by the borrow, and it holds a reference to its pool for as long as it is outside of
    // it; `from_glib_none` takes one more. There is no binding for the field.
    unsafe { from_glib_none((*buffer.as_ptr()).pool) }
}

/// A copy over the same memory that does not keep `buffer` from its pool.
fn without_parent(buffer: &gst::BufferRef) -> Option<gst::Buffer> {
    let mut copy = buffer.copy();
    copy.get_mut()?.foreach_meta_mut(|mut meta| {
        let refers = meta
            .downcast_ref::<ParentBufferMeta>()
            .is_some_and(|meta| std::ptr::eq(meta.parent().as_ptr(), buffer.as_ptr()));
        ControlFlow::Continue(if refers { BufferMetaForeachAction::Remove } else { BufferMetaForeachAction::Keep })
    });
    Some(copy)
}

#[cfg(test)]
mod tests {
    use gst_video::VideoMeta;

    use super::*;

    /// Frames that the tests hold; more than any pool here has.
    const HELD: usize = 20;

    fn started(pool: &impl IsA<gst::BufferPool>, options: &[&str], size: u32, max: u32) {
        let pool = pool.upcast_ref::<gst::BufferPool>();
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "GRAY8")
            .field("width", 50)
            .field("height", 48)
            .field("framerate", gst::Fraction::new(30, 1))
            .build();
        let mut config = pool.config();
        config.set_params(Some(&caps), size, max.min(2), max);
        options.iter().for_each(|option| config.add_option(option));
        pool.set_config(config).unwrap();
        pool.set_active(true).unwrap();
    }

    fn plain(max: u32) -> gst::BufferPool {
        gst::init().unwrap();
        let pool = gst::BufferPool::new();
        started(&pool, &[], 64, max);
        pool
    }

    fn video(max: u32) -> gst::BufferPool {
        gst::init().unwrap();
        let pool = gst_video::VideoBufferPool::new();
        started(&pool, &["GstBufferPoolOptionVideoMeta"], 52 * 48, max);
        pool.upcast()
    }

    /// A driver's pool: it has four frames of memory, and no more for those that are still in use.
    fn driver() -> gst::BufferPool {
        gst::init().unwrap();
        let pool = glib::Object::new::<driver::Pool>();
        started(&pool, &[], 64, driver::FRAMES as u32);
        pool.upcast()
    }

    mod driver {
        use std::sync::{Arc, Mutex};

        use glib::{ffi::gpointer, translate::*};
        use gst::subclass::prelude::*;

        pub const FRAMES: usize = 4;

        type Free = Arc<Mutex<Vec<Box<[u8]>>>>;

        /// A frame in use. It goes back to the free ones when the memory over it is freed.
        struct Frame(Box<[u8]>, Free);

        impl Drop for Frame {
            fn drop(&mut self) {
                self.1.lock().unwrap().push(std::mem::take(&mut self.0));
            }
        }

        // SAFETY: called once with the frame that `memory` has leaked.
        unsafe extern "C" fn give_back(frame: gpointer) {
            // SAFETY: see above.
            drop(unsafe { Box::from_raw(frame.cast::<Frame>()) });
        }

        /// System memory over a frame, as camera sources wrap it.
        fn memory(frame: Frame) -> gst::Memory {
            let frame = Box::leak(Box::new(frame));
            let (data, size) = (frame.0.as_mut_ptr(), frame.0.len());
            // SAFETY: the frame lives until `give_back`, which is called when the memory is freed.
            unsafe {
                let frame: *mut Frame = frame;
                let give_back = Some(give_back as unsafe extern "C" fn(gpointer));
                let memory = gst::ffi::gst_memory_new_wrapped(0, data.cast(), size, 0, size, frame.cast(), give_back);
                from_glib_full(memory)
            }
        }

        pub struct Imp(Free);

        #[glib::object_subclass]
        impl ObjectSubclass for Imp {
            const NAME: &'static str = "AndonTestDriverPool";
            type Type = Pool;
            type ParentType = gst::BufferPool;

            fn new() -> Self {
                Self(Arc::new(Mutex::new(vec![vec![0; 64].into(); FRAMES])))
            }
        }

        impl ObjectImpl for Imp {}
        impl GstObjectImpl for Imp {}
        impl BufferPoolImpl for Imp {
            fn alloc_buffer(&self, _: Option<&gst::BufferPoolAcquireParams>) -> Result<gst::Buffer, gst::FlowError> {
                let frame = self.0.lock().unwrap().pop().ok_or(gst::FlowError::Error)?;
                let mut buffer = gst::Buffer::new();
                buffer.get_mut().expect("a new buffer").append_memory(memory(Frame(frame, self.0.clone())));
                Ok(buffer)
            }
        }

        glib::wrapper! {
            pub struct Pool(ObjectSubclass<Imp>) @extends gst::BufferPool, gst::Object;
        }
    }

    /// The next buffer of the pool, unless it would have to wait for one.
    fn acquire(pool: &gst::BufferPool) -> Option<gst::Buffer> {
        let now = gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
        pool.acquire_buffer(Some(&now)).ok()
    }

    fn is_shared(a: &gst::BufferRef, b: &gst::BufferRef) -> bool {
        std::ptr::eq(a.peek_memory(0).as_ptr(), b.peek_memory(0).as_ptr())
    }

    /// Takes frames from the pool and holds them all: whether each was shared, and what is held.
    fn hold_all(pool: &gst::BufferPool, holder: &mut Holder) -> Vec<(bool, gst::Buffer)> {
        let hold = |buffer: gst::Buffer| match holder.hold(&buffer).expect("system memory") {
            HeldBuffer::Shared(held) => {
                assert!(is_shared(&held, &buffer));
                (true, held)
            }
            HeldBuffer::Copied(held) => {
                assert!(!is_shared(&held, &buffer));
                (false, held)
            }
        };
        std::iter::from_fn(|| acquire(pool)).take(HELD).map(hold).collect()
    }

    #[test]
    fn held_frames_starve_no_pool_and_only_those_of_a_drivers_are_copied() {
        for (what, pool, is_shared) in [
            ("a plain pool without a limit", plain(0), true),
            ("a plain pool of four", plain(4), true),
            ("a video pool without a limit", video(0), true),
            ("a video pool of four", video(4), true),
            ("a driver's pool of four", driver(), false),
        ] {
            let held = hold_all(&pool, &mut Holder::default());
            assert_eq!(held.len(), HELD, "{what} runs dry");
            assert!(held.iter().all(|(shared, _)| *shared == is_shared), "{what}");
            drop(held);
            assert_eq!(hold_all(&pool, &mut Holder::default()).len(), HELD, "{what} runs dry later");
            pool.set_active(false).unwrap();
        }
    }

    #[test]
    fn a_drivers_pool_runs_dry_where_its_memory_is_shared() {
        let pool = driver();
        let mut frames = std::iter::from_fn(|| acquire(&pool)).take(HELD);
        let held: Vec<_> = frames.by_ref().map(|buffer| without_parent(&buffer).unwrap()).collect();
        assert_eq!(held.len(), driver::FRAMES);
    }

    #[test]
    fn a_frame_of_no_pool_is_shared() {
        gst::init().unwrap();
        let buffer = gst::Buffer::with_size(64).unwrap();
        let Some(HeldBuffer::Shared(held)) = Holder::default().hold(&buffer) else { panic!("a copy") };
        assert!(is_shared(&held, &buffer));
    }

    #[test]
    fn a_frame_that_is_held_keeps_its_strides_its_times_and_its_other_parents() {
        let pool = video(4);
        let mut buffer = acquire(&pool).unwrap();
        let other = gst::Buffer::with_size(1).unwrap();
        let b = buffer.get_mut().unwrap();
        b.set_pts(gst::ClockTime::SECOND);
        ParentBufferMeta::add(b, &other);
        let Some(HeldBuffer::Shared(held)) = Holder::default().hold(&buffer) else { panic!("a copy") };
        assert_eq!(held.meta::<VideoMeta>().map(|m| m.stride().to_vec()), Some(vec![52]));
        assert_eq!(held.pts(), Some(gst::ClockTime::SECOND));
        let parents: Vec<_> = held.iter_meta::<ParentBufferMeta>().map(|m| m.parent().as_ptr()).collect();
        assert_eq!(parents, [other.as_ptr()]);
        drop((buffer, held));
        pool.set_active(false).unwrap();
    }

    #[test]
    fn a_frame_that_refers_to_one_of_a_pool_with_a_limit_is_copied_and_lets_go_of_it() {
        let mut holder = Holder::default();
        for (pool, is_copied) in [(plain(0), false), (plain(1), true), (driver(), true)] {
            let lent = acquire(&pool).unwrap();
            let mut buffer = lent.copy_region(gst::BufferCopyFlags::MEMORY, ..).unwrap();
            ParentBufferMeta::add(buffer.get_mut().unwrap(), &lent);
            drop(lent);
            let held = holder.hold(&buffer).unwrap();
            assert_eq!(matches!(held, HeldBuffer::Copied(_)), is_copied);
            drop(buffer);
            assert!(acquire(&pool).is_some(), "what is held keeps the pool's only buffer");
        }
    }

    #[test]
    fn memory_that_must_not_be_shared_and_memory_of_another_kind_are_copied() {
        gst::init().unwrap();
        let mut memory = gst::Memory::with_size(64);
        // SAFETY: sets a flag of a memory to which there is no other reference.
        unsafe {
            (*memory.get_mut().unwrap().as_mut_ptr()).mini_object.flags |= gst::ffi::GST_MEMORY_FLAG_NO_SHARE;
        }
        let mut not_shared = gst::Buffer::new();
        not_shared.get_mut().unwrap().append_memory(memory);
        assert!(matches!(Holder::default().hold(&not_shared), Some(HeldBuffer::Copied(_))));
    }
}
