// SPDX-License-Identifier: MPL-2.0
//! Where a frame lies in the model's input, and its pixels there, against the authors' own steps with OpenCV and Pillow
//! (tests/oracles/placing.py).

use andon_core::image::{Colorimetry, Format, Image, Matrix, Plane};
use andon_model::Input;
use serde_json::Value;

use super::{Mapping, Preprocessor, TensorMut};

/// One frame and what is expected of it.
struct Case(Value);

fn pattern(seed: usize, plane: usize, [width, height]: [usize; 2]) -> Vec<u8> {
    let byte = |x: usize, y: usize| (x * 73 + y * 151 + plane * 199 + seed * 31 + x * y % 251 * 17) as u8;
    (0..height).flat_map(|y| (0..width).map(move |x| byte(x, y))).collect()
}

impl Case {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap()
    }

    fn numbers(&self, field: &str) -> Option<Vec<f32>> {
        Some(self.0[field].as_array()?.iter().map(|v| v.as_f64().unwrap() as f32).collect())
    }

    /// Width and height of the frame.
    fn frame(&self) -> [usize; 2] {
        ["width", "height"].map(|side| self.0[side].as_u64().unwrap() as usize)
    }

    /// The tensor, in levels, and where the frame lies in it.
    fn run(&self) -> (Vec<f32>, Mapping) {
        let mut input = self.0["input"].clone();
        let said = serde_json::json!({
            "name": "i", "source": "image", "size": self.0["size"], "pad": self.0["pad"], "mean": 0, "scale": 1,
            "interpolation": self.0["interpolation"], "colour": if self.text("format") == "GRAY8" { "grey" } else { "rgb" }
        });
        input.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let input: Input = serde_json::from_value(input).unwrap();
        let mut preprocessor = Preprocessor::new(&input, input.size.unwrap().map(|v| v as usize));
        let [w, h] = self.frame();
        let (format, sizes) = match self.text("format") {
            "GRAY8" => (Format::Gray8, vec![[w, h]]),
            "RGB" => (Format::Rgb, vec![[w * 3, h]]),
            _ => (Format::Nv12, vec![[w, h], [w, h / 2]]),
        };
        let seed = self.0["seed"].as_u64().unwrap() as usize;
        let data: Vec<_> = sizes.iter().enumerate().map(|(i, s)| pattern(seed, i, *s)).collect();
        let planes: Vec<_> = data.iter().zip(&sizes).map(|(data, s)| Plane { data, stride: s[0] }).collect();
        let colorimetry = Colorimetry { matrix: Matrix::Bt601, full_range: false };
        let image = Image::new(format, w, h, &planes, colorimetry).unwrap();
        let mut tensor = vec![f32::NAN; preprocessor.len()];
        let mapping = preprocessor.run(&image, None, TensorMut::F32(&mut tensor));
        (tensor, mapping)
    }
}

#[test]
fn frames_lie_where_the_authors_put_them_with_the_pixels_that_opencv_and_pillow_make() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../../../tests/data/placing.json")).unwrap();
    let cases: Vec<_> = cases.into_iter().map(Case).collect();
    let mut worst = std::collections::BTreeMap::<String, f32>::new();
    for case in &cases {
        let (tensor, mapping) = case.run();
        let [width, height] = case.frame().map(|v| v as f32);
        let [w, h, left, top] = case.numbers("place").unwrap().try_into().unwrap();
        let about =
            format!("{} {} {width}x{height} to {}", case.text("by"), case.text("interpolation"), case.0["size"]);
        assert_eq!((mapping.offset, mapping.scale), ([left, top], [w / width, h / height]), "{about}");
        // The frame's corners come back.
        let [x, y, bw, bh] = mapping.to_frame([left, top, left + w, top + h]);
        let off = x.abs().max(y.abs()).max((bw - width).abs()).max((bh - height).abs());
        assert!(off < 1e-4, "{about}: {off}");
        let against = |expected: &[f32], unit: f32| {
            assert_eq!(tensor.len(), expected.len());
            tensor.iter().zip(expected).map(|(t, e)| (t - e * unit).abs()).fold(0.0, f32::max)
        };
        // OpenCV's area ignores samples that cover less than a thousandth of a pixel.
        let allowed = if case.text("interpolation") == "area" { 0.2 } else { 0.03 };
        let off = against(&case.numbers("expected").unwrap(), 0.01);
        assert!(off <= allowed, "{about}: off by {off} levels");
        let most = worst.entry(case.text("interpolation").into()).or_default();
        *most = most.max(off);
        if let Some(rounded) = case.numbers("rounded") {
            let off = against(&rounded, 1.0);
            assert!(off <= 1.01, "{about}: off by {off} levels from Pillow's 8 bits");
            let most = worst.entry("antialias in 8 bits".into()).or_default();
            *most = most.max(off);
        }
    }
    assert!(cases.len() > 100 && worst.len() == 4);
    println!("{} cases; largest differences in levels (1/255 of full scale): {worst:.4?}", cases.len());
}
