// SPDX-License-Identifier: MPL-2.0
//! Masks and maps of labels as `GstAnalyticsSegmentationMtd`, from GStreamer 1.26 on.
//!
//! The bindings have no such functions, so this calls those of C.

use andon_core::result::{BoxPx, Detection, Mask, Segmentation};
use glib::translate::IntoGlibPtr;
use gst_analytics::{ffi, *};
use gst_video::{VideoFormat, VideoFrameFlags, VideoMeta};

use super::analytics::Relations;

/// The name of what a mask leaves out.
const BACKGROUND: &str = "background";

/// Adds the mask of a box: region 1 is the thing, region 0 the rest. Box and mask relate to each other.
pub(super) fn add_mask(relations: &mut Relations<'_>, of: u32, d: &Detection, mask: &Mask) {
    let Some(cells) = cells(mask.values.clone(), [mask.width, mask.height], VideoFormat::Gray8) else { return };
    let kind = ffi::GST_SEGMENTATION_TYPE_INSTANCE;
    let Some(id) = add(relations, cells, kind, &mut [0, 1], mask.region) else { return };
    let _ = relations.set_relation(RelTypes::RELATE_TO, of, id);
    let _ = relations.set_relation(RelTypes::RELATE_TO, id, of);
    name(relations, id, &[(BACKGROUND, -1.0), (&*d.label, d.score)]);
}

/// Adds the map of labels of a frame: each region is a label, by its number.
pub(super) fn add_map(relations: &mut Relations<'_>, map: &Segmentation) {
    let side = [map.width, map.height];
    // 255 stands for no label.
    let cells = if map.areas.iter().all(|a| a.class < 255) {
        let bytes: Vec<u8> = map.classes.iter().map(|c| u8::try_from(*c).unwrap_or(u8::MAX)).collect();
        cells(bytes, side, VideoFormat::Gray8)
    } else {
        let bytes: Vec<u8> = map.classes.iter().flat_map(|c| c.to_le_bytes()).collect();
        cells(bytes, side, VideoFormat::Gray16Le)
    };
    let mut ids: Vec<u32> = map.areas.iter().map(|a| a.class).collect();
    let kind = ffi::GST_SEGMENTATION_TYPE_SEMANTIC;
    let Some(id) = cells.and_then(|cells| add(relations, cells, kind, &mut ids, map.region)) else { return };
    let names: Vec<_> = map.areas.iter().map(|a| (&*a.label, -1.0)).collect();
    name(relations, id, &names);
}

/// Wraps the values of a grid as a picture, or returns `None` if they are not as many as its sides say.
fn cells(
    values: impl AsRef<[u8]> + Send + 'static,
    [width, height]: [u32; 2],
    format: VideoFormat,
) -> Option<gst::Buffer> {
    let row = if format == VideoFormat::Gray8 { width } else { width.checked_mul(2)? };
    if values.as_ref().is_empty() || values.as_ref().len() as u64 != u64::from(row) * u64::from(height) {
        return None;
    }
    let mut buffer = gst::Buffer::from_slice(values);
    let stride = [i32::try_from(row).ok()?];
    VideoMeta::add_full(buffer.get_mut()?, VideoFrameFlags::empty(), format, width, height, &[0], &stride).ok()?;
    Some(buffer)
}

/// Adds a segmentation of the regions `ids` over a part of the frame, and returns its id.
fn add(
    relations: &mut Relations<'_>,
    cells: gst::Buffer,
    kind: ffi::GstSegmentationType,
    ids: &mut [u32],
    region: BoxPx,
) -> Option<u32> {
    let [x, y, w, h] = region.map(|v| v.round() as i32);
    // SAFETY: the meta is writable, the buffer is handed over and has its VideoMeta, and the ids are copied.
    unsafe {
        let mut mtd = std::mem::MaybeUninit::<ffi::GstAnalyticsSegmentationMtd>::uninit();
        let added = ffi::gst_analytics_relation_meta_add_segmentation_mtd(
            relations.as_mut_ptr(),
            cells.into_glib_ptr(),
            kind,
            ids.len(),
            ids.as_mut_ptr(),
            x,
            y,
            w.max(0) as u32,
            h.max(0) as u32,
            mtd.as_mut_ptr(),
        );
        (added != glib::ffi::GFALSE).then(|| mtd.assume_init().id)
    }
}

/// Names the regions of a segmentation, in the order of their ids.
fn name(relations: &mut Relations<'_>, of: u32, names: &[(&str, f32)]) {
    let (levels, labels): (Vec<_>, Vec<_>) = names.iter().map(|(l, s)| (*s, glib::Quark::from_str(*l))).unzip();
    if let Ok(class) = relations.add_cls_mtd(&levels, &labels).map(|m| m.id()) {
        // The documentation of the meta names the one relation, and `segmentationoverlay` goes by the other.
        let _ = relations.set_relation(RelTypes::RELATE_TO | RelTypes::N_TO_N, of, class);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::meta::{analytics, mirror::Said};
    use andon_core::result::{Arm, Frame, Inference, LabelArea, Verdict};
    use glib::translate::from_glib_full;

    /// A segmentation as readers in C find it.
    #[derive(Debug, PartialEq)]
    struct Found {
        cells: Vec<u8>,
        format: VideoFormat,
        side: (u32, u32),
        place: (i32, i32, u32, u32),
        regions: Vec<u32>,
    }

    fn find(meta: &gst::MetaRef<'_, AnalyticsRelationMeta>, id: u32) -> Option<Found> {
        // SAFETY: plain reads of a meta that lives as long as `meta`.
        unsafe {
            let mut mtd = std::mem::MaybeUninit::<ffi::GstAnalyticsSegmentationMtd>::uninit();
            if ffi::gst_analytics_relation_meta_get_segmentation_mtd(meta.as_mut_ptr(), id, mtd.as_mut_ptr()) == 0 {
                return None;
            }
            let mtd = mtd.assume_init();
            let (mut x, mut y, mut w, mut h) = (0, 0, 0, 0);
            let buffer: gst::Buffer =
                from_glib_full(ffi::gst_analytics_segmentation_mtd_get_mask(&mtd, &mut x, &mut y, &mut w, &mut h));
            let count = ffi::gst_analytics_segmentation_mtd_get_region_count(&mtd);
            let regions = (0..count).map(|i| ffi::gst_analytics_segmentation_mtd_get_region_id(&mtd, i)).collect();
            let video = buffer.meta::<VideoMeta>().unwrap();
            let (format, side) = (video.format(), (video.width(), video.height()));
            let cells = buffer.map_readable().unwrap().to_vec();
            Some(Found { cells, format, side, place: (x, y, w, h), regions })
        }
    }

    fn mirrored(fill: impl FnOnce(&mut Inference)) -> (gst::Buffer, Said) {
        gst::init().unwrap();
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [100, 50]);
        i.verdict = Verdict::Ng;
        fill(&mut i);
        let mut buffer = gst::Buffer::new();
        analytics::mirror(buffer.get_mut().unwrap(), &i);
        let said = analytics::read(&buffer).unwrap();
        (buffer, said)
    }

    #[test]
    fn the_mask_of_a_box_is_a_segmentation_that_relates_to_it() {
        let mask = |values: &[u8]| {
            Some(Arc::new(Mask { width: 2, height: 2, region: [9.6, -4.0, 20.0, 10.0], values: values.into() }))
        };
        let (buffer, said) = mirrored(|i| {
            let d = Detection::new(0, "spur".into(), 0.75, [10.0, 0.0, 20.0, 6.0]);
            i.detections.push(Detection { mask: mask(&[0, 1, 1, 0]), ..d.clone() });
            i.detections.push(Detection { mask: mask(&[0, 1]), ..d });
        });
        let meta = buffer.meta::<AnalyticsRelationMeta>().unwrap();
        let all: Vec<_> = (0..meta.len() as u32).filter_map(|id| Some((id, find(&meta, id)?))).collect();
        assert_eq!(all.len(), 1, "a mask that lacks cells is left out");
        let (id, found) = &all[0];
        let wanted = Found {
            cells: vec![0, 1, 1, 0],
            format: VideoFormat::Gray8,
            side: (2, 2),
            place: (10, -4, 20, 10),
            regions: vec![0, 1],
        };
        assert_eq!(*found, wanted);
        let od = meta.iter::<AnalyticsODMtd>().next().unwrap().id();
        assert_eq!((meta.relation(od, *id), meta.relation(*id, od)), (RelTypes::RELATE_TO, RelTypes::RELATE_TO));
        let named = meta.iter_direct_related::<AnalyticsClassificationMtd>(*id, RelTypes::N_TO_N).next().unwrap();
        assert_eq!(named.quark(1).as_str(), "spur");
        assert_eq!((said.detections.len(), said.classes.len()), (2, 0), "names of regions are no labels of the frame");
    }

    #[test]
    fn a_map_of_labels_names_its_regions() {
        for (most, format) in [(7, VideoFormat::Gray8), (300, VideoFormat::Gray16Le)] {
            let (buffer, _) = mirrored(|i| {
                let area = |class: u32, label: &str| LabelArea { class, label: label.into(), area: 0.5 };
                i.segmentation = Some(Segmentation {
                    width: 2,
                    height: 1,
                    region: [0.0, 0.0, 100.0, 50.0],
                    areas: vec![area(most, "rust"), area(0, "steel")],
                    classes: [most as u16, u16::MAX].into(),
                });
            });
            let meta = buffer.meta::<AnalyticsRelationMeta>().unwrap();
            let (id, found) = (0..meta.len() as u32).find_map(|id| Some((id, find(&meta, id)?))).unwrap();
            let cells = if most == 7 { vec![7, 255] } else { vec![44, 1, 255, 255] };
            assert_eq!((found.cells, found.format, found.regions), (cells, format, vec![most, 0]));
            let named = meta.iter_direct_related::<AnalyticsClassificationMtd>(id, RelTypes::N_TO_N).next().unwrap();
            assert_eq!((named.quark(0).as_str().as_str(), named.quark(1).as_str().as_str()), ("rust", "steel"));
        }
    }
}
