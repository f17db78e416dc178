// SPDX-License-Identifier: MPL-2.0
//! `.modelinfo`: the file beside a bare model that says what the graph does not, as GStreamer 1.28 reads it (see the
//! documentation of GstAnalyticsModelInfo). This reader needs no GStreamer.
//!
//! ```ini
//! [modelinfo]
//! version=1.0
//! group-id=yolo-v8-out
//!
//! [images]
//! dir=input
//! type=float32
//! dims=1,3,640,640
//! ranges=0.0,1.0;0.0,1.0;0.0,1.0
//!
//! [output0]
//! dir=output
//! id=yolo-v8-out
//! dims-order=col-major
//! ```

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

use andon_core::{
    files,
    text::{check_value, shortened, shown},
};

use super::{Error, ModelInfoError};

/// The only major version of the format.
const MAJOR: u32 = 1;

/// The largest file that is read, bytes, and the most tensors in it: the generator writes a few hundred bytes for each.
const LARGEST: u64 = 1 << 20;
const MOST_TENSORS: usize = 1024;

/// The beginning of a value that the generator of the file did not know.
const PLACEHOLDER: &str = "PLACEHOLDER";

/// The side of the graph that a tensor is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// An input.
    Input,
    /// An output.
    Output,
}

/// What the file says of one tensor. What it leaves out is None or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorInfo {
    /// The tensor's name in the graph.
    pub name: String,
    /// The side of the graph. None fits both sides.
    pub direction: Option<Direction>,
    /// The encoding by GStreamer's tensor ID registry, for instance `yolo-v8-out`.
    pub id: Option<String>,
    /// The element type: `uint8`, `float32` and so on.
    pub kind: Option<String>,
    /// The shape. -1 stands for any length.
    pub dims: Option<Vec<i64>>,
    /// For an input: the values that the pixel values 0 and 255 map to, once, or once per channel.
    pub ranges: Vec<[f32; 2]>,
}

/// The content of a `.modelinfo` file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// The encoding of all outputs together.
    pub group: Option<String>,
    /// The tensors, in the order of the file.
    pub tensors: Vec<TensorInfo>,
}

impl ModelInfo {
    /// Parses the text of a file. Errors name `path`.
    pub(super) fn of(path: &Path, text: &str) -> Result<Self, Error> {
        Self::parse(text).map_err(|problem| Error::ModelInfo { path: path.into(), problem })
    }

    /// Returns the path and the text of `MODEL.onnx.modelinfo`, or else of `MODEL.modelinfo`. None if there is neither.
    pub(super) fn read_beside(model: &Path) -> Result<Option<(PathBuf, String)>, Error> {
        let mut long = OsString::from(model);
        long.push(".modelinfo");
        for path in [long.into(), model.with_extension("modelinfo")] {
            match files::read_text(&path, LARGEST) {
                Ok(text) => return Ok(Some((path, text))),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::Io { path, error }),
            }
        }
        Ok(None)
    }

    /// Parses the text of a `.modelinfo` file.
    ///
    /// # Errors
    /// The line that is wrong, and what is expected.
    pub fn parse(text: &str) -> Result<Self, ModelInfoError> {
        let (mut info, mut version, mut section) = (Self::default(), None, None);
        let (mut sections, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let fail = |problem| ModelInfoError { line: Some(number + 1), problem };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                check_value(name).map_err(|why| fail(format!("the name of the tensor {why}")))?;
                if !sections.insert(name) {
                    return Err(fail(format!("[{name}] stands twice: write what it says in one place")));
                }
                if sections.len() > MOST_TENSORS + 1 {
                    return Err(fail(format!("more than {MOST_TENSORS} tensors")));
                }
                keys.clear();
                section = Some(name.to_string());
                if name != "modelinfo" {
                    info.tensors.push(TensorInfo { name: name.into(), ..TensorInfo::default() });
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=').map(|(k, v)| (k.trim(), v.trim())) else {
                let line = shortened(line, 100);
                return Err(fail(format!("`{}` is neither [TENSOR] nor KEY=VALUE", shown(&line))));
            };
            if !keys.insert(key) {
                return Err(fail(format!("`{}` stands twice: readers differ in which they take", shown(key))));
            }
            // A placeholder says nothing.
            if value.starts_with(PLACEHOLDER) {
                continue;
            }
            match section.as_deref() {
                None => return Err(fail(format!("`{key}` stands before the first [TENSOR]"))),
                Some("modelinfo") => match key {
                    "version" => version = Some(major(value).map_err(fail)?),
                    "group-id" => info.group = Some(value.into()),
                    _ => {}
                },
                Some(_) => info.tensors.last_mut().expect("a section was begun").set(key, value).map_err(fail)?,
            }
        }
        match version {
            Some(MAJOR) => Ok(info),
            Some(other) => Err(ModelInfoError {
                line: None,
                problem: format!("[modelinfo] version is {other}, this version of the plugin reads {MAJOR}.x"),
            }),
            None => Err(ModelInfoError {
                line: None,
                problem: format!(
                    "[modelinfo] or its version is missing: begin the file with [modelinfo] and version={MAJOR}.0"
                ),
            }),
        }
    }

    /// Finds the entry of a tensor by its name and shape, or by its index on its side of the graph and its shape, or by its
    /// shape alone, in the order in which GStreamer looks it up. In `shape`, -1 stands for an open axis.
    pub fn tensor(&self, direction: Direction, index: usize, name: &str, shape: &[i64]) -> Option<&TensorInfo> {
        let mut side = self.tensors.iter().filter(|t| t.direction.is_none_or(|d| d == direction));
        let named = self.tensors.iter().find(|t| t.name == name && t.fits(shape));
        named
            .or_else(|| side.clone().nth(index).filter(|t| t.fits(shape)))
            .or_else(|| side.find(|t| t.dims.is_some() && t.fits(shape)))
    }
}

impl TensorInfo {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "dir" => {
                self.direction = Some(match value {
                    "input" => Direction::Input,
                    "output" => Direction::Output,
                    other => return Err(format!("dir is '{other}', must be input or output")),
                });
            }
            "id" => self.id = Some(value.into()),
            "type" => self.kind = Some(value.into()),
            "dims" => {
                let all = value.trim_end_matches(',').split(',').map(|n| n.trim().parse());
                let all = all.collect::<Result<_, _>>();
                self.dims =
                    Some(all.map_err(|_| format!("dims is '{value}', must be whole numbers such as 1,3,-1,-1"))?);
            }
            "ranges" => {
                let pair = |p: &str| {
                    let (lo, hi) = p.split_once(',')?;
                    let range = [lo.trim().parse::<f32>().ok()?, hi.trim().parse().ok()?];
                    (range.iter().all(|v| v.is_finite()) && range[0] != range[1]).then_some(range)
                };
                let all: Option<_> = value.trim_end_matches(';').split(';').map(pair).collect();
                self.ranges = all.ok_or_else(|| {
                    format!("ranges is '{value}', must be MIN,MAX, or one such pair per channel, separated by ';'")
                })?;
            }
            // The shape of the output already shows what dims-order says.
            _ => {}
        }
        Ok(())
    }

    fn fits(&self, shape: &[i64]) -> bool {
        let same = |(d, s): (&i64, &i64)| *d < 0 || *s < 0 || d == s;
        self.dims.as_ref().is_none_or(|dims| dims.len() == shape.len() && dims.iter().zip(shape).all(same))
    }

    /// Returns means and scales, one each or one per channel, so that `(value - mean) * scale` maps the pixel values 0..255
    /// to the ranges. None if there are no ranges.
    pub fn normalisation(&self) -> Option<(Vec<f32>, Vec<f32>)> {
        let scale = |[lo, hi]: [f32; 2]| (hi - lo) / 255.0;
        let all = self.ranges.iter().map(|r| (-r[0] / scale(*r) + 0.0, scale(*r)));
        (!self.ranges.is_empty()).then(|| all.unzip())
    }
}

/// Returns the major version of a text such as `1.0`.
fn major(version: &str) -> Result<u32, String> {
    let parts: Option<Vec<u32>> = version.split('.').map(|p| p.parse().ok()).collect();
    match parts.as_deref() {
        Some([major, _]) => Ok(*major),
        _ => Err(format!("version is '{version}', must be MAJOR.MINOR such as 1.0")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SSD: &str = "\
# as modelinfo-generator.py writes it
[modelinfo]
version=1.0
group-id=ssd-mobilenet-v1-variant-1-out

[image_tensor:0]
id=image_tensor_0
type=uint8
dims=-1,-1,-1,3
dir=input
ranges=0.0,255.0;0.0,255.0;0.0,255.0

[detection_boxes:0]
id=ssd-mobilenet-v1-variant-1-out-boxes
type=float32
dims=-1,-1,4
dir=output

[detection_scores:0]
id=PLACEHOLDER_ID
type = float32
dims=-1,-1
dir=output
";

    #[test]
    fn what_the_file_says_is_found_by_the_tensors_name() {
        let info = ModelInfo::parse(SSD).unwrap();
        assert_eq!(info.group.as_deref(), Some("ssd-mobilenet-v1-variant-1-out"));
        let boxes = info.tensor(Direction::Output, 7, "detection_boxes:0", &[1, 100, 4]).unwrap();
        assert_eq!(boxes.id.as_deref(), Some("ssd-mobilenet-v1-variant-1-out-boxes"));
        let image = info.tensor(Direction::Input, 0, "image_tensor:0", &[1, 320, 320, 3]).unwrap();
        assert_eq!((image.kind.as_deref(), image.ranges.len()), (Some("uint8"), 3));
    }

    #[test]
    fn a_tensor_of_another_name_is_found_by_its_place_and_else_by_its_shape() {
        let info = ModelInfo::parse(SSD).unwrap();
        let name = |index, shape: &[i64]| info.tensor(Direction::Output, index, "x", shape).map(|t| t.name.as_str());
        assert_eq!(name(1, &[1, 100]), Some("detection_scores:0"));
        assert_eq!(name(0, &[1, 100]), Some("detection_scores:0"), "the first has another shape");
        assert_eq!(name(0, &[1, 2, 3, 4]), None);
    }

    #[test]
    fn a_placeholder_says_nothing() {
        assert_eq!(ModelInfo::parse(SSD).unwrap().tensors[2].id, None);
    }

    #[test]
    fn ranges_become_mean_and_scale() {
        let of = |ranges: &str| {
            let text = format!("[modelinfo]\nversion=1.0\n[i]\nranges={ranges}\n");
            ModelInfo::parse(&text).unwrap().tensors[0].normalisation().unwrap()
        };
        assert_eq!(of("0.0,255.0"), (vec![0.0], vec![1.0]));
        assert_eq!(of("0,1"), (vec![0.0], vec![1.0 / 255.0]));
        let (mean, scale) = of("-1.0,1.0;-1.0,1.0;0.0,1.0;");
        assert_eq!((mean.len(), scale.len()), (3, 3));
        for (pixel, expected) in [(0.0, -1.0), (255.0, 1.0)] {
            assert!(((pixel - mean[0]) * scale[0] - expected).abs() < 1e-6f32);
        }
    }

    #[test]
    fn every_refusal_names_the_line_and_what_was_expected() {
        let refusal = |text: &str| ModelInfo::parse(text).unwrap_err().to_string();
        let begin = "[modelinfo]\nversion=1.0\n[i]\n";
        let e = refusal(&format!("{begin}dims=1,a"));
        assert!(e.contains("line 4") && e.contains("1,3,-1,-1"), "{e}");
        let e = refusal(&format!("{begin}dir=input\ndir=output"));
        assert_eq!(e, "line 5: `dir` stands twice: readers differ in which they take");
        let e = refusal(&format!("{begin}dir=input\n[o]\n[i]\ndir=output"));
        assert!(e.starts_with("line 6: [i] stands twice"), "{e}");
        assert!(refusal("[modelinfo]\nversion=1.0\n[a\u{7}]").contains(r"'a\u{7}' holds the control character"));
        let e = refusal(&format!("{begin}ranges=0.0"));
        assert!(e.contains("line 4") && e.contains("MIN,MAX"), "{e}");
        let e = refusal(&format!("{begin}ranges=1,1"));
        assert!(e.contains("MIN,MAX"), "{e}");
        let e = refusal(&format!("{begin}dir=sideways"));
        assert!(e.contains("input or output"), "{e}");
        assert!(refusal("[images]\ndir=input\n").contains("[modelinfo]"));
        assert!(refusal("[modelinfo]\nversion=2.0\n").contains("reads 1.x"));
        assert!(refusal("[modelinfo]\nversion=new\n").contains("MAJOR.MINOR"));
        assert!(refusal("nonsense\n").contains("KEY=VALUE"));
        assert!(refusal("a=b\n").contains("before the first"));
    }

    #[test]
    fn the_longer_name_is_looked_for_first() {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("m.onnx");
        let read = || ModelInfo::read_beside(&model).unwrap().map(|(path, text)| ModelInfo::of(&path, &text));
        assert!(read().is_none());
        let text = |group: &str| format!("[modelinfo]\nversion=1.0\ngroup-id={group}\n");
        fs::write(dir.path().join("m.modelinfo"), text("short")).unwrap();
        assert_eq!(read().unwrap().unwrap().group.unwrap(), "short");
        fs::write(dir.path().join("m.onnx.modelinfo"), text("long")).unwrap();
        assert_eq!(read().unwrap().unwrap().group.unwrap(), "long");
        fs::write(dir.path().join("m.onnx.modelinfo"), "nonsense").unwrap();
        let e = read().unwrap().unwrap_err().to_string();
        assert!(e.contains("m.onnx.modelinfo") && e.contains("line 1"), "{e}");
    }
}
