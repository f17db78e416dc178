// SPDX-License-Identifier: MPL-2.0
//! The time to preprocess one frame: the four cases that are compared with the bare runtime, and cases that use other
//! loops. `--once NAME COUNT` preprocesses COUNT frames of one case and does nothing else, for scripts/callgrind to count
//! the instructions.
//!
//! ```text
//! cargo bench --bench preprocess
//! ```

use std::hint::black_box;

use andon_core::image::{Colorimetry, Format, Image, Plane};
use andon_inference::{Preprocessor, TensorMut};
use andon_model::Input;
use criterion::{BenchmarkId, Criterion, Throughput};

/// One way from a frame to a tensor.
struct Case {
    name: &'static str,
    format: Format,
    frame: [usize; 2],
    model: [usize; 2],
    colour: &'static str,
    interpolation: &'static str,
}

const fn case(
    name: &'static str,
    format: Format,
    frame: [usize; 2],
    model: [usize; 2],
    colour: &'static str,
    interpolation: &'static str,
) -> Case {
    Case { name, format, frame, model, colour, interpolation }
}

const CASES: &[Case] = &[
    case("rgb-320", Format::Rgb, [320; 2], [320; 2], "rgb", "bilinear"),
    case("nv12-720p-320", Format::Nv12, [1280, 720], [320; 2], "rgb", "bilinear"),
    case("gray8-640", Format::Gray8, [640; 2], [640; 2], "grey", "bilinear"),
    case("nv12-1080p-640", Format::Nv12, [1920, 1080], [640; 2], "rgb", "bilinear"),
    case("rgb-any-ratio", Format::Rgb, [1000, 700], [320; 2], "rgb", "bilinear"),
    case("yuy2-720p-320", Format::Yuy2, [1280, 720], [320; 2], "rgb", "bilinear"),
    case("nv12-720p-320-area", Format::Nv12, [1280, 720], [320; 2], "rgb", "area"),
    case("nv12-720p-320-antialias", Format::Nv12, [1280, 720], [320; 2], "rgb", "antialias"),
    case("rgb-1080p-224-antialias", Format::Rgb, [1920, 1080], [224; 2], "rgb", "antialias"),
];

/// A frame, its preprocessor and its tensor, ready to run.
struct Ready {
    planes: Vec<Vec<u8>>,
    case: &'static Case,
    preprocessor: Preprocessor,
    tensor: Vec<f32>,
}

impl Ready {
    fn new(case: &'static Case) -> Self {
        let [w, h] = case.frame;
        let sizes = match case.format {
            Format::Nv12 => vec![w * h, w * h / 2],
            packed => vec![w * h * packed.pixel_stride()],
        };
        let noise = |n: usize| (0..n).map(|i| ((i * 2_654_435_761) >> 7) as u8).collect();
        let input: Input = serde_json::from_value(serde_json::json!({
            "name": "i", "source": "image", "colour": case.colour, "interpolation": case.interpolation
        }))
        .expect("the input is well formed");
        let preprocessor = Preprocessor::new(&input, case.model);
        let tensor = vec![0.0; preprocessor.len()];
        Self { planes: sizes.into_iter().map(noise).collect(), case, preprocessor, tensor }
    }

    fn run(&mut self) {
        let [w, h] = self.case.frame;
        let stride = w * self.case.format.pixel_stride();
        let planes: [Plane<'_>; 3] = std::array::from_fn(|i| Plane {
            data: self.planes.get(i).map_or(&[][..], Vec::as_slice),
            stride: if i == 0 { stride } else { w },
        });
        let image = Image::new(self.case.format, w, h, &planes, Colorimetry::default()).expect("the planes are whole");
        black_box(self.preprocessor.run(black_box(&image), None, TensorMut::F32(&mut self.tensor)));
        black_box(&mut self.tensor);
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [once, name, frames] = &arguments[..]
        && once == "--once"
    {
        let case = CASES.iter().find(|c| c.name == name).expect("the name of a case");
        let mut ready = Ready::new(case);
        (0..frames.parse().expect("a count of frames")).for_each(|_: u32| ready.run());
        return;
    }
    if arguments == ["--names"] {
        CASES.iter().for_each(|c| println!("{}", c.name));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("preprocess");
    for case in CASES {
        let mut ready = Ready::new(case);
        group.throughput(Throughput::Elements((case.model[0] * case.model[1]) as u64));
        group.bench_function(BenchmarkId::from_parameter(case.name), |b| b.iter(|| ready.run()));
    }
    group.finish();
    criterion.final_summary();
}
