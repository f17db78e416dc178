// SPDX-License-Identifier: MPL-2.0
//! Preprocessing against OpenCV and numpy, which do the same steps in the same order (tests/oracles/preprocess.py). The test
//! of a format covers every stride and start (tight, padded, odd), resize rule, interpolation and region, over types,
//! layouts, colours, matrices and ranges.

use andon_core::{
    image::{Colorimetry, Format, Image, Matrix, Plane},
    result::BoxPx,
};
use andon_inference::{Preprocessor, TensorMut};
use andon_model::{Input, Layout};
use half::f16;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Case {
    format: String,
    resize: String,
    interpolation: String,
    region: Option<BoxPx>,
    colour: String,
    width: usize,
    height: usize,
    padding: usize,
    ahead: usize,
    seed: usize,
    matrix: String,
    full_range: bool,
    layout: Layout,
    r#type: String,
    size: [usize; 2],
    pad: Vec<f32>,
    mean: Vec<f32>,
    scale: Vec<f32>,
    /// Of a sample of 16-bit grey.
    #[serde(default)]
    bits: u32,
    unit: f64,
    expected: Vec<i32>,
}

fn cases() -> Vec<Case> {
    let read = |text| serde_json::from_str::<Vec<Case>>(text).unwrap();
    let (first, further) = (include_str!("data/preprocess.json"), include_str!("data/preprocess_formats.json"));
    read(first).into_iter().chain(read(further)).collect()
}

fn format(name: &str) -> Format {
    match name {
        "GRAY8" => Format::Gray8,
        "GRAY16_LE" => Format::Gray16Le,
        "RGB" => Format::Rgb,
        "BGR" => Format::Bgr,
        "RGBx" => Format::Rgbx,
        "BGRx" => Format::Bgrx,
        "xRGB" => Format::Xrgb,
        "xBGR" => Format::Xbgr,
        "RGBA" => Format::Rgba,
        "BGRA" => Format::Bgra,
        "ARGB" => Format::Argb,
        "ABGR" => Format::Abgr,
        "RGBP" => Format::Rgbp,
        "NV12" => Format::Nv12,
        "NV21" => Format::Nv21,
        "I420" => Format::I420,
        "YUY2" => Format::Yuy2,
        "UYVY" => Format::Uyvy,
        "GRAY16_BE" => Format::Gray16Be,
        "GRAY10_LE32" => Format::Gray10Le32,
        "YVYU" => Format::Yvyu,
        "YV12" => Format::Yv12,
        "Y42B" => Format::Y42b,
        "Y444" => Format::Y444,
        "NV16" => Format::Nv16,
        "NV61" => Format::Nv61,
        "AYUV" => Format::Ayuv,
        "P010_10LE" => Format::P010,
        "I420_10LE" => Format::I420p10,
        "RGB16" => Format::Rgb16,
        other => panic!("{other}"),
    }
}

fn matrix(name: &str) -> Matrix {
    match name {
        "bt601" => Matrix::Bt601,
        "bt709" => Matrix::Bt709,
        "bt2020" => Matrix::Bt2020,
        "smpte240m" => Matrix::Smpte240m,
        "fcc" => Matrix::Fcc,
        other => panic!("{other}"),
    }
}

/// Bytes a row and rows of every plane, as GStreamer documents the formats.
fn plane_sizes(format: Format, w: usize, h: usize) -> Vec<[usize; 2]> {
    let [cw, ch] = [w, h].map(|v| v.div_ceil(2));
    match format {
        Format::Gray8 => vec![[w, h]],
        Format::Gray16Le | Format::Gray16Be | Format::Rgb16 => vec![[w * 2, h]],
        Format::Gray10Le32 => vec![[w.div_ceil(3) * 4, h]],
        Format::Rgb | Format::Bgr => vec![[w * 3, h]],
        Format::Rgbp => vec![[w, h]; 3],
        Format::Nv12 | Format::Nv21 => vec![[w, h], [cw * 2, ch]],
        Format::I420 | Format::Yv12 => vec![[w, h], [cw, ch], [cw, ch]],
        Format::Yuy2 | Format::Uyvy | Format::Yvyu => vec![[cw * 4, h]],
        Format::Y42b => vec![[w, h], [cw, h], [cw, h]],
        Format::Y444 => vec![[w, h]; 3],
        Format::Nv16 | Format::Nv61 => vec![[w, h], [cw * 2, h]],
        Format::P010 => vec![[w * 2, h], [cw * 4, ch]],
        Format::I420p10 => vec![[w * 2, h], [cw * 2, ch], [cw * 2, ch]],
        _ => vec![[w * 4, h]],
    }
}

/// The bytes that the oracle computes, other ones in the padding of each row, and `ahead` of them all.
fn pattern(seed: usize, plane: usize, [width, height]: [usize; 2], stride: usize, ahead: usize) -> Vec<u8> {
    let byte = |x: usize, y: usize| (x * 73 + y * 151 + plane * 199 + seed * 31 + x * y % 251 * 17) as u8;
    let rows = (0..height).flat_map(|y| (0..stride).map(move |x| if x < width { byte(x, y) } else { !byte(x, y) }));
    let mut bytes: Vec<u8> = std::iter::repeat_n(99, ahead).chain(rows).collect();
    // The last row of a plane need not have its padding.
    bytes.truncate(ahead + stride * (height - 1) + width);
    bytes
}

impl Case {
    fn input(&self) -> Input {
        serde_json::from_value(serde_json::json!({
            "name": "i", "source": "image", "colour": self.colour, "resize": self.resize, "type": self.r#type,
            "interpolation": self.interpolation, "layout": self.layout, "size": self.size,
            "pad": self.pad, "mean": self.mean, "scale": self.scale
        }))
        .unwrap()
    }

    fn preprocessor(&self) -> Preprocessor {
        Preprocessor::new(&self.input(), self.size)
    }

    fn run(&self, preprocessor: &mut Preprocessor, tensor: TensorMut<'_>) {
        let format = format(&self.format);
        let sizes = plane_sizes(format, self.width, self.height);
        let data: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(i, size)| pattern(self.seed, i, *size, size[0] + self.padding, self.ahead))
            .collect();
        let planes: Vec<_> = data
            .iter()
            .zip(&sizes)
            .map(|(data, size)| Plane { data: &data[self.ahead..], stride: size[0] + self.padding })
            .collect();
        let colorimetry = Colorimetry { matrix: matrix(&self.matrix), full_range: self.full_range };
        let image = Image::new(format, self.width, self.height, &planes, colorimetry).unwrap().with_bits(self.bits);
        preprocessor.run(&image, self.region, tensor);
    }

    /// The tensor as it comes out, in numbers of its type.
    fn numbers(&self, preprocessor: &mut Preprocessor) -> Vec<f64> {
        let n = preprocessor.len();
        match self.r#type.as_str() {
            "f16" => {
                let mut tensor = vec![f16::NAN; n];
                self.run(preprocessor, TensorMut::F16(&mut tensor));
                tensor.into_iter().map(f64::from).collect()
            }
            "u8" => {
                let mut tensor = vec![77; n];
                self.run(preprocessor, TensorMut::U8(&mut tensor));
                tensor.into_iter().map(f64::from).collect()
            }
            "i8" => {
                let mut tensor = vec![77; n];
                self.run(preprocessor, TensorMut::I8(&mut tensor));
                tensor.into_iter().map(f64::from).collect()
            }
            _ => {
                let mut tensor = vec![f32::NAN; n];
                self.run(preprocessor, TensorMut::F32(&mut tensor));
                tensor.into_iter().map(f64::from).collect()
            }
        }
    }

    /// The largest difference in levels of a pixel value (1 is 1/255 of full scale), except what the type cannot hold.
    fn difference(&self, tensor: &[f64]) -> f64 {
        assert_eq!(tensor.len(), self.expected.len());
        let scale = self.scale.iter().map(|s| f64::from(*s)).fold(f64::INFINITY, f64::min);
        let cannot = |v: f64| match self.r#type.as_str() {
            "u8" | "i8" => 0.5,
            // Half a unit of the last of 11 bits.
            "f16" => v.abs() / 2048.0,
            _ => 0.0,
        };
        let off = |(t, e): (&f64, &i32)| {
            let e = f64::from(*e) * self.unit;
            ((t - e).abs() - cannot(e)).max(0.0) / scale
        };
        tensor.iter().zip(&self.expected).map(off).fold(0.0, |a, d| if d.is_nan() { d } else { a.max(d) })
    }
}

/// The largest difference allowed, in levels. The promise is one level. OpenCV's area gets a fifth of a level, since it
/// ignores samples that cover less than a thousandth of a pixel. The fixture itself is rounded to hundredths of a level.
fn tolerance(case: &Case) -> f64 {
    if case.interpolation == "area" { 0.2 } else { 0.03 }
}

/// Checks every case of a format for one resize rule: strides, starts, interpolations, regions.
fn holds(name: &str, resize: &str) {
    let cases = cases();
    let cases: Vec<_> = cases.iter().filter(|c| c.format == name && c.resize == resize).collect();
    for padding in [0, 3, 16] {
        assert!(cases.iter().filter(|c| c.padding == padding).count() >= 3, "{name}: stride + {padding}");
    }
    for case in cases {
        let off = case.difference(&case.numbers(&mut case.preprocessor()));
        assert!(off <= tolerance(case), "off by {off} levels: {case:?}");
    }
}

macro_rules! formats {
    ($($module:ident $name:literal)*) => {$(
        mod $module {
            #[test]
            fn with_every_stride_letterboxed_is_what_opencv_makes_of_it() {
                super::holds($name, "letterbox");
            }

            #[test]
            fn with_every_stride_stretched_is_what_opencv_makes_of_it() {
                super::holds($name, "stretch");
            }

            #[test]
            fn with_every_stride_cropped_is_what_opencv_makes_of_it() {
                super::holds($name, "crop");
            }
        }
    )*};
}

formats! {
    gray8 "GRAY8"
    gray16_le "GRAY16_LE"
    rgb "RGB"
    bgr "BGR"
    rgbx "RGBx"
    bgrx "BGRx"
    xrgb "xRGB"
    xbgr "xBGR"
    rgba "RGBA"
    bgra "BGRA"
    argb "ARGB"
    abgr "ABGR"
    rgbp "RGBP"
    nv12 "NV12"
    nv21 "NV21"
    i420 "I420"
    yuy2 "YUY2"
    uyvy "UYVY"
    gray16_be "GRAY16_BE"
    gray10_le32 "GRAY10_LE32"
    yvyu "YVYU"
    yv12 "YV12"
    y42b "Y42B"
    y444 "Y444"
    nv16 "NV16"
    nv61 "NV61"
    ayuv "AYUV"
    p010_10le "P010_10LE"
    i420_10le "I420_10LE"
    rgb16 "RGB16"
}

#[test]
fn the_largest_differences_are_far_below_a_level() {
    let mut worst = std::collections::BTreeMap::<String, f64>::new();
    let cases = cases();
    for case in &cases {
        let off = case.difference(&case.numbers(&mut case.preprocessor()));
        assert!(off <= tolerance(case));
        let worst = worst.entry(format!("{} {}", case.interpolation, case.r#type)).or_default();
        *worst = worst.max(off);
    }
    assert!(cases.len() >= 30 * 27);
    println!("{} cases; largest differences in levels (1/255 of full scale): {worst:.4?}", cases.len());
}

#[test]
fn every_matrix_is_tried_with_both_ranges_in_every_format_that_has_one() {
    let tried: std::collections::BTreeSet<_> = (cases().into_iter())
        .filter(|c| format(&c.format).is_yuv() && c.colour != "grey")
        .map(|c| (c.format, c.matrix, c.full_range))
        .collect();
    assert_eq!(tried.len(), 14 * Matrix::ALL.len() * 2, "{tried:?}");
}

#[test]
fn a_camera_that_changes_format_size_and_region_leaves_nothing_behind() {
    let mut cases = cases();
    // The cases that one model takes.
    cases.retain(|c| c.colour == "rgb" && c.resize == "letterbox" && c.r#type == "f32" && c.layout == Layout::Nchw);
    cases.retain(|c| c.pad == [114.0] && c.interpolation == "bilinear");
    assert!(cases.len() >= 3, "{}", cases.len());
    let mut preprocessor = cases[0].preprocessor();
    let mut tensors = [vec![f32::NAN; preprocessor.len()], vec![f32::NAN; preprocessor.len()]];
    for round in 0..3 {
        for (i, case) in cases.iter().chain(cases.iter().rev()).enumerate() {
            // Alternate between two tensors, as batches do.
            let tensor = &mut tensors[(i / 2 + round) % 2];
            case.run(&mut preprocessor, TensorMut::F32(tensor));
            let tensor: Vec<_> = tensor.iter().map(|v| f64::from(*v)).collect();
            let off = case.difference(&tensor);
            assert!(off <= tolerance(case), "{} after another: off by {off}", case.format);
        }
    }
}

#[test]
fn a_tensor_that_other_code_wrote_to_gets_its_padding_back_after_forget() {
    let cases = cases();
    let case = cases.iter().find(|c| c.resize == "letterbox" && c.r#type == "f32" && c.region.is_none()).unwrap();
    let mut preprocessor = case.preprocessor();
    let mut tensor = vec![f32::NAN; preprocessor.len()];
    case.run(&mut preprocessor, TensorMut::F32(&mut tensor));
    let whole = tensor.clone();
    tensor.fill(-1.0);
    preprocessor.forget();
    case.run(&mut preprocessor, TensorMut::F32(&mut tensor));
    assert_eq!(tensor, whole);
}
