// SPDX-License-Identifier: MPL-2.0
//! Masks and maps in a sidecar: too many numbers for JSON, so each is a PNG at the model's resolution, in Base64.

use std::sync::Arc;

use andon_core::result::{Arm, BoxPx, Inference};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// What a picture is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapKind {
    /// Anomaly scores: 16 bits, 0..65535 for 0..1.
    AnomalyMap,
    /// Which cells the model calls anomalous: 0 or 255.
    AnomalyMask,
    /// Which pixels a detection covers: 0 or 255.
    Mask,
    /// The class of each cell: its index, of 256 and more 255.
    Segmentation,
}

impl MapKind {
    /// The name used in JSON and file names.
    pub fn as_str(self) -> &'static str {
        match self {
            MapKind::AnomalyMap => "anomaly-map",
            MapKind::AnomalyMask => "anomaly-mask",
            MapKind::Mask => "mask",
            MapKind::Segmentation => "segmentation",
        }
    }
}

/// A mask or a map of an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapImage {
    /// Whose.
    pub arm: Arm,
    /// What it is.
    pub what: MapKind,
    /// Of a detection, its place in the outcome's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<usize>,
    /// What it covers, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: BoxPx,
    /// The file, in Base64.
    png: String,
}

impl MapImage {
    /// All of an outcome, as far as it has its values.
    pub(super) fn of(said: &Inference) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |what, detection, region, file: Option<Vec<u8>>| {
            let encoded = file.map(|file| STANDARD.encode(file));
            all.extend(encoded.map(|png| Self { arm: said.arm, what, detection, region, png }));
        };
        if let Some(map) = said.anomaly.as_ref().and_then(|a| a.map.as_ref()) {
            let scores = map.values.iter().flat_map(|v| ((v.clamp(0.0, 1.0) * 65535.0).round() as u16).to_be_bytes());
            add(MapKind::AnomalyMap, None, map.region, grey([map.width, map.height], png::BitDepth::Sixteen, scores));
        }
        let masks = said.anomaly.iter().filter_map(|a| Some((MapKind::AnomalyMask, None, a.mask.as_ref()?)));
        let of_boxes = said.detections.iter().enumerate();
        let of_boxes = of_boxes.filter_map(|(i, d)| Some((MapKind::Mask, Some(i), d.mask.as_ref()?)));
        for (what, detection, mask) in masks.chain(of_boxes) {
            let cells = mask.values.iter().map(|v| if *v == 0 { 0 } else { 255 });
            add(what, detection, mask.region, grey([mask.width, mask.height], png::BitDepth::Eight, cells));
        }
        if let Some(map) = &said.segmentation {
            let classes = map.classes.iter().map(|class| u8::try_from(*class).unwrap_or(u8::MAX));
            add(MapKind::Segmentation, None, map.region, grey([map.width, map.height], png::BitDepth::Eight, classes));
        }
        all
    }

    /// The PNG file.
    ///
    /// # Errors
    /// Where the sidecar was changed, and holds no Base64.
    pub fn file(&self) -> Result<Vec<u8>, String> {
        STANDARD.decode(&self.png).map_err(|e| e.to_string())
    }
}

/// A grey PNG; none where there are not as many values as cells, as of an outcome that came as text.
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

/// All masks and maps of all outcomes.
pub(super) fn all(results: &[Arc<Inference>]) -> Vec<MapImage> {
    results.iter().flat_map(|said| MapImage::of(said)).collect()
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
        let said = Inference {
            anomaly: Some(Anomaly {
                score: 0.5,
                map: Some(AnomalyMap { width: 3, height: 2, region, values }),
                mask: None,
            }),
            detections: vec![without, with],
            ..Inference::new("m".into(), Arm::B, &Frame::new(None), [64, 64])
        };
        let found = MapImage::of(&said);
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
