// SPDX-License-Identifier: MPL-2.0
//! The buffer pool, negotiated with downstream.

use gst::prelude::*;

use super::CAT;

/// Configures the pool that downstream offers, or one of its own, so that frames may have any strides.
pub(super) fn configure(
    query: &mut gst::query::Allocation,
    element: &super::DefectTestSrc,
) -> Result<(), gst::LoggableError> {
    let caps = query.get().0.map(|caps| caps.to_owned());
    let info = caps.as_ref().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
    let info = info.ok_or_else(|| gst::loggable_error!(CAT, "the allocation query has no video caps"))?;
    let offered = query.allocation_pools().next();
    let had_pool = offered.is_some();
    let (pool, size, min, max) = offered.unwrap_or((None, 0, 0, 0));
    let size = size.max(info.size() as u32);
    let pool = pool.unwrap_or_else(|| gst_video::VideoBufferPool::new().upcast());
    let mut config = pool.config();
    config.set_params(caps.as_ref(), size, min, max);
    if query.find_allocation_meta::<gst_video::VideoMeta>().is_some() {
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META);
    }
    // A pool that changes the configuration says so by refusing; the base class then takes what it offers instead.
    if let Err(e) = pool.set_config(config) {
        gst::debug!(CAT, obj = element, "the pool wants another configuration: {e}");
    }
    if had_pool {
        query.set_nth_allocation_pool(0, Some(&pool), size, min, max);
    } else {
        query.add_allocation_pool(Some(&pool), size, min, max);
    }
    Ok(())
}
