// SPDX-License-Identifier: MPL-2.0
//! Masks and maps in a sidecar. They are too many numbers for JSON, so that each is a PNG at the model's resolution, in
//! Base64.

use std::sync::Arc;

use andon_core::result::{Arm, BoxPx, Inference};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::error::NotBase64;

/// What the cells of a map mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapKind {
    /// Anomaly scores: 16 bits, 0..65535 for 0..1.
    AnomalyMap,
    /// Cells that the model calls anomalous: 0 or 255.
    AnomalyMask,
    /// Pixels that a detection covers: 0 or 255.
    Mask,
    /// The class of each cell: its index, or 255 from there on.
    Segmentation,
}

impl MapKind {
    /// Returns the name used in JSON and file names.
    pub fn as_str(self) -> &'static str {
        match self {
            MapKind::AnomalyMap => "anomaly-map",
            MapKind::AnomalyMask => "anomaly-mask",
            MapKind::Mask => "mask",
            MapKind::Segmentation => "segmentation",
        }
    }
}

/// A mask or a map of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapImage {
    /// The arm of the result.
    pub arm: Arm,
    /// The element of the result, for an arm may have several models.
    #[serde(default)]
    pub element: Arc<str>,
    /// What the cells mean.
    pub what: MapKind,
    /// The index of the detection that a mask belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<usize>,
    /// The area that the cells cover, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: BoxPx,
    /// The file, in Base64.
    png: String,
}

impl MapImage {
    /// Returns all masks and maps of a result that have their values.
    fn of(result: &Inference) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |what, detection, region, file: Option<Vec<u8>>| {
            let encoded = file.map(|file| STANDARD.encode(file));
            let (arm, element) = (result.arm, result.element.clone());
            all.extend(encoded.map(|png| Self { arm, element, what, detection, region, png }));
        };
        if let Some(map) = result.anomaly.as_ref().and_then(|a| a.map.as_ref()) {
            let scores = map.values.iter().flat_map(|v| ((v.clamp(0.0, 1.0) * 65535.0).round() as u16).to_be_bytes());
            add(MapKind::AnomalyMap, None, map.region, grey([map.width, map.height], png::BitDepth::Sixteen, scores));
        }
        let masks = result.anomaly.iter().filter_map(|a| Some((MapKind::AnomalyMask, None, a.mask.as_ref()?)));
        let of_boxes = result.detections.iter().enumerate();
        let of_boxes = of_boxes.filter_map(|(i, d)| Some((MapKind::Mask, Some(i), d.mask.as_ref()?)));
        for (what, detection, mask) in masks.chain(of_boxes) {
            let cells = mask.values.iter().map(|v| if *v == 0 { 0 } else { 255 });
            add(what, detection, mask.region, grey([mask.width, mask.height], png::BitDepth::Eight, cells));
        }
        if let Some(map) = &result.segmentation {
            let classes = map.classes.iter().map(|class| u8::try_from(*class).unwrap_or(u8::MAX));
            add(MapKind::Segmentation, None, map.region, grey([map.width, map.height], png::BitDepth::Eight, classes));
        }
        all
    }

    /// Returns the PNG file.
    ///
    /// # Errors
    /// The sidecar was changed, and holds no Base64.
    pub fn file(&self) -> Result<Vec<u8>, NotBase64> {
        Ok(STANDARD.decode(&self.png)?)
    }
}

/// Encodes a grey PNG. Returns None unless every cell has a value, which a result read from JSON has not.
fn grey([width, height]: [u32; 2], depth: png::BitDepth, bytes: impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = bytes.collect();
    let each = if depth == png::BitDepth::Sixteen { 2 } else { 1 };
    if bytes.is_empty() || bytes.len() != width as usize * height as usize * each {
        return None;
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&bytes).ok()?;
    writer.finish().ok()?;
    Some(file)
}

/// Returns all masks and maps of all results.
pub(crate) fn all(results: &[Arc<Inference>]) -> Vec<MapImage> {
    results.iter().flat_map(|result| MapImage::of(result)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Anomaly, AnomalyMap, Detection, Frame, Mask};

    #[test]
    fn maps_and_masks_come_back_as_they_were_and_those_without_values_are_left_out() {
        let region = [1.0, 2.0, 30.0, 20.0];
        let values: Arc<[f32]> = [0.0, 0.5, 1.0, 0.25, 2.0, -1.0].into();
        let mask = |values: &[u8]| Arc::new(Mask { width: 2, height: 2, region, values: values.into() });
        let mut with = Detection::new(0, "open".into(), 0.9, region);
        with.mask = Some(mask(&[0, 1, 1, 0]));
        let mut without = with.clone();
        without.mask = Some(mask(&[]));
        let result = Inference {
            anomaly: Some(Anomaly {
                score: 0.5,
                map: Some(AnomalyMap { width: 3, height: 2, region, values }),
                mask: None,
            }),
            detections: vec![without, with],
            ..Inference::new("m".into(), Arm::B, &Frame::new(None), [64, 64])
        };
        let found = MapImage::of(&result);
        let read = |p: &MapImage| {
            let file = p.file().unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            pixels
        };
        assert_eq!(
            found.iter().map(|p| (p.what, p.detection)).collect::<Vec<_>>(),
            [(MapKind::AnomalyMap, None), (MapKind::Mask, Some(1))]
        );
        let scores: Vec<_> = read(&found[0]).as_chunks::<2>().0.iter().map(|b| u16::from_be_bytes(*b)).collect();
        assert_eq!(scores, [0, 32768, 65535, 16384, 65535, 0]);
        assert_eq!((read(&found[1]), found[1].region), (vec![0, 255, 255, 0], region));
    }
}
