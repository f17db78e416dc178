// SPDX-License-Identifier: MPL-2.0
//! Frames a second of every shipped model, in a pipeline and of the bare engine, on one and on two threads.
//!
//! Ways alternate block by block (see `common`), with frames of the model's own size. A golden template lies on disk and
//! does not change, as on a line that makes one product.

mod common;

use std::{fs, path::Path};

use andon_inference::runtime;
use andon_model::{self as model, InputSource, Manifest};
use common::{Case, Way, init, line, quantiles, ratios, shown, turns};
use ort::{
    session::{Session, SessionInputValue},
    value::Tensor,
};

const BLOCKS: usize = 30;
const FRAMES: usize = 7;

fn bundles() -> Vec<String> {
    let mut all = Vec::new();
    for name in fs::read_dir("models").expect("this runs in the repository").flatten() {
        let versions = fs::read_dir(name.path()).into_iter().flatten().flatten();
        all.extend(versions.map(|v| v.path()).filter(|v| v.join("model.json").is_file()));
    }
    all.sort();
    all.into_iter().map(|p| p.to_str().expect("our names are plain").to_owned()).collect()
}

/// The bare engine: every input a tensor of numbers, filled once.
fn bare(bundle: &str, threads: usize) -> Way<'static> {
    let environment = runtime::environment().expect("main has loaded it");
    let builder = Session::builder(environment).and_then(|b| Ok(b.with_intra_threads(threads)?));
    let mut session =
        builder.and_then(|mut b| b.commit_from_file(Path::new(bundle).join("model.onnx"))).expect("the model loads");
    let inputs: Vec<_> = session
        .inputs()
        .iter()
        .map(|input| {
            let shape = input.dtype().tensor_shape().expect("images are tensors").to_vec();
            let length = shape.iter().product::<i64>() as usize;
            let numbers: Vec<f32> = (0..length).map(|i| (i * 7 % 251) as f32 / 255.0).collect();
            (input.name().to_owned(), Tensor::from_array((shape, numbers)).expect("shape and length agree"))
        })
        .collect();
    Box::new(move |frames| {
        for _ in 0..frames {
            let given: Vec<(&str, SessionInputValue)> = inputs.iter().map(|(n, t)| (n.as_str(), t.into())).collect();
            drop(session.run(given).expect("the model runs"));
        }
    })
}

/// `modelinfer` between a source and a sink.
fn ours(bundle: &str, manifest: &Manifest, case: &Case, threads: usize, templates: &Path) -> Way<'static> {
    let asks = manifest.inputs.iter().any(|i| i.source() == Some(InputSource::ImageFile));
    let root = if asks {
        format!("image-root={} wait-inputs=true fields=fields,sku=a,view=0", templates.display())
    } else {
        String::new()
    };
    line(&format!("modelinfer model={bundle} threads={threads} {root}"), case)
}

fn main() {
    let runtime = init();
    let templates = tempfile::tempdir().expect("there is room for a template");
    fs::create_dir(templates.path().join("a")).expect("the folder is new");
    let file = fs::File::create(templates.path().join("a/0.png")).expect("the folder is there");
    let mut encoder = png::Encoder::new(file, 640, 640);
    encoder.set_color(png::ColorType::Grayscale);
    let written = encoder.write_header().and_then(|mut w| w.write_image_data(&vec![90; 640 * 640]));
    written.expect("there is room for a template");

    println!("\nframes a second ({runtime}); median [5 %, 95 %] of {BLOCKS} blocks of {FRAMES} frames");
    println!(
        "{:>18} {:>10} {:>8} {:>4} {:>10} {:>10}   {:<22}",
        "model", "frame", "bytes", "thr", "bare", "pipeline", "time, pipeline/bare"
    );
    for bundle in bundles() {
        let manifest = model::open(&bundle).expect("a shipped bundle opens").manifest.expect("a bundle has one");
        let [width, height] = manifest.inputs[0].size.expect("shipped models have a size of their own");
        let format = if manifest.inputs[0].colour == model::Colour::Grey { "GRAY8" } else { "RGB" };
        let case = Case::new("", "", format, [width, height]);
        let bytes = fs::metadata(Path::new(&bundle).join("model.onnx")).expect("the graph is there").len();
        for threads in [1, 2] {
            let mut ways = [bare(&bundle, threads), ours(&bundle, &manifest, &case, threads, templates.path())];
            let times = turns(&mut ways, BLOCKS, FRAMES);
            let rate = |times: &Vec<f64>| 1e3 / quantiles(times.clone())[1];
            println!(
                "{bundle:>18} {:>10} {bytes:>8} {threads:>4} {:>10.1} {:>10.1}   {}",
                format!("{width}x{height}"),
                rate(&times[0]),
                rate(&times[1]),
                shown(ratios(&times[1], &times[0]))
            );
        }
    }
}
