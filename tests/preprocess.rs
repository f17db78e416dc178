// SPDX-License-Identifier: MPL-2.0
//! Preprocessing against plain numpy that does the same steps in the same order (tests/oracles/preprocess.py).

use gstandon::{
    image::{Colorimetry, Format, Image, Matrix, Plane},
    inference::Preprocessor,
    model::{Input, Layout},
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Case {
    format: String,
    resize: String,
    colour: String,
    width: usize,
    height: usize,
    padding: usize,
    seed: usize,
    matrix: String,
    full_range: bool,
    layout: Layout,
    size: [u32; 2],
    pad: f32,
    mean: f32,
    scale: f32,
    expected: Vec<u16>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/preprocess.json")).unwrap()
}

fn format(name: &str) -> Format {
    match name {
        "GRAY8" => Format::Gray8,
        "RGB" => Format::Rgb,
        "BGR" => Format::Bgr,
        "RGBx" => Format::Rgbx,
        "BGRx" => Format::Bgrx,
        "NV12" => Format::Nv12,
        "I420" => Format::I420,
        other => panic!("{other}"),
    }
}

/// The bytes that the oracle computes, and other ones in the padding of each row.
fn pattern(seed: usize, plane: usize, width: usize, height: usize, stride: usize) -> Vec<u8> {
    let byte = |x: usize, y: usize| (x * 73 + y * 151 + plane * 199 + seed * 31 + x * y % 251 * 17) as u8;
    (0..height).flat_map(|y| (0..stride).map(move |x| if x < width { byte(x, y) } else { !byte(x, y) })).collect()
}

impl Case {
    fn input(&self) -> Input {
        serde_json::from_value(serde_json::json!({
            "name": "i", "source": "image", "colour": self.colour, "resize": self.resize, "size": self.size,
            "layout": self.layout, "pad": [self.pad], "mean": [self.mean], "scale": [self.scale]
        }))
        .unwrap()
    }

    fn run(&self, preprocessor: &mut Preprocessor, tensor: &mut [f32]) {
        let format = format(&self.format);
        let half = [self.width.div_ceil(2), self.height.div_ceil(2)];
        let sizes = match format {
            Format::Nv12 => vec![[self.width, self.height], [half[0] * 2, half[1]]],
            Format::I420 => vec![[self.width, self.height], half, half],
            packed => vec![[self.width * packed.pixel_stride(), self.height]],
        };
        let data: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(i, [w, h])| (pattern(self.seed, i, *w, *h, w + self.padding), w + self.padding))
            .collect();
        let planes: Vec<_> = data.iter().map(|(data, stride)| Plane { data, stride: *stride }).collect();
        let matrix = if self.matrix == "bt709" { Matrix::Bt709 } else { Matrix::Bt601 };
        let colorimetry = Colorimetry { matrix, full_range: self.full_range };
        let image = Image::new(format, self.width, self.height, &planes, colorimetry).unwrap();
        preprocessor.run(&image, tensor);
    }

    fn difference(&self, tensor: &[f32]) -> f32 {
        assert_eq!(tensor.len(), self.expected.len());
        let off = |(t, e): (&f32, &u16)| (t - f32::from(*e) / 65535.0).abs();
        tensor.iter().zip(&self.expected).map(off).fold(0.0, |a, d| if d.is_nan() { d } else { a.max(d) })
    }
}

#[test]
fn every_format_resize_and_stride_gives_the_tensor_of_the_oracle() {
    let mut worst = 0f32;
    for case in cases() {
        let mut preprocessor = Preprocessor::new(&case.input());
        let mut tensor = vec![f32::NAN; preprocessor.len()];
        case.run(&mut preprocessor, &mut tensor);
        let off = case.difference(&tensor);
        // 1/255 is what is promised; what is kept is a fortieth of it.
        assert!(off <= 1e-4, "{} {} {}: off by {off}", case.format, case.resize, case.colour);
        worst = worst.max(off);
    }
    println!("{} cases, largest difference {worst:.2e} ({:.4} of 1/255)", cases().len(), worst * 255.0);
}

#[test]
fn a_camera_that_changes_format_and_size_leaves_nothing_behind() {
    let mut cases = cases();
    cases.retain(|c| c.colour == "grey" && c.resize == "letterbox" && c.layout == Layout::Nchw);
    assert!(cases.len() >= 3);
    let mut preprocessor = Preprocessor::new(&cases[0].input());
    let mut tensor = vec![f32::NAN; preprocessor.len()];
    for case in cases.iter().chain(cases.iter().rev()) {
        case.run(&mut preprocessor, &mut tensor);
        let off = case.difference(&tensor);
        assert!(off <= 1e-4, "{} after another: off by {off}", case.format);
    }
}
