// SPDX-License-Identifier: MPL-2.0
//! Label Studio: `tasks_SUBSET.json` with a prediction for each arm, and the labelling interface `config.xml` for it.

use std::{fmt::Write, fs, path::Path};

use andon_core::{
    result::{Arm, Inference},
    text::shown,
};
use quick_xml::escape::escape;
use serde_json::{Value, json};

use super::{
    list::List,
    marks::{Mark, marks, round},
    writer::{Item, Plan, Writer},
};
use crate::dataset::{Error, model_name};

/// Steps in one percent.
const PER_PERCENT: f64 = 1e4;

/// The file of tasks of every subset.
pub(super) struct LabelStudio {
    subsets: Vec<List>,
    names: Vec<String>,
    prefix: String,
    least: f32,
}

impl LabelStudio {
    /// Begins the files below `folder`; addresses of images begin with `prefix`.
    pub(super) fn new(folder: &Path, plan: &Plan, prefix: &str, least: f32) -> Result<Self, Error> {
        let path = folder.join("config.xml");
        fs::write(&path, config(&plan.labels)).map_err(Error::io(format!("{} cannot be written", path.display())))?;
        let begun = |subset: &String| List::new(&folder.join(format!("tasks_{subset}.json")), "");
        let subsets = plan.subsets.iter().map(begun).collect::<Result<_, _>>()?;
        Ok(Self { subsets, names: plan.subsets.clone(), prefix: prefix.into(), least })
    }
}

impl Writer for LabelStudio {
    fn add(&mut self, item: &Item<'_>) -> Result<(), Error> {
        let sidecar = &item.capture.sidecar;
        let judged = |arm| item.capture.judged(arm);
        let predictions: Vec<_> = [Arm::A, Arm::B]
            .into_iter()
            .flat_map(|arm| item.capture.models_of(arm).into_iter().enumerate())
            .map(|(at, result)| prediction(at, result, sidecar.size, self.least))
            .collect();
        let verdict = |arm| judged(arm).map_or("", |i| i.verdict.as_str());
        let part = sidecar.part.as_deref();
        let triggers: Vec<_> = sidecar.triggers.iter().map(|t| t.trigger.as_str()).collect();
        self.subsets[item.subset].add(&json!({
            "data": {
                "image": format!("{}images/{}/{}", self.prefix, self.names[item.subset], sidecar.file),
                "run": sidecar.run, "frame_id": sidecar.frame_id, "part": part.map(|p| &p.id),
                "view": part.map_or(0, |p| p.view), "views": part.map_or(1, |p| p.views),
                "sku": part.map_or("", |p| &p.sku), "triggers": triggers.join(", "),
                "verdict_a": verdict(Arm::A), "verdict_b": verdict(Arm::B)
            },
            "predictions": predictions
        }))
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.subsets.into_iter().try_for_each(|subset| subset.finish("\n"))
    }
}

/// The detections of one model, number `at` of its arm, as Label Studio draws them.
fn prediction(at: usize, result: &Inference, size: [u32; 2], least: f32) -> Value {
    let arm = result.arm;
    let group = if at == 0 { String::new() } else { format!("-{at}-") };
    let found = marks(result, size, least);
    let boxes: Vec<_> = found
        .iter()
        .enumerate()
        .map(|(n, mark)| {
            json!({
                "id": format!("{arm}{group}{n}"), "from_name": "label", "to_name": "image", "type": "rectanglelabels",
                "original_width": size[0], "original_height": size[1], "image_rotation": 0, "score": mark.score,
                "value": rectangle(mark, size)
            })
        })
        .collect();
    json!({
        "model_version": format!("{} (arm {arm})", model_name(&result.model)), "score": round(result.score.into(), 1e4),
        "result": boxes
    })
}

/// Percent of the image; a turned box is turned about its upper left corner, in degrees.
fn rectangle(mark: &Mark<'_>, size: [u32; 2]) -> Value {
    let [width, height] = size.map(f64::from);
    let ([x, y, w, h], rotation) = match mark.turned {
        None => (mark.bbox, 0.0),
        Some(([x, y, w, h], angle)) => {
            let (sin, cos) = angle.sin_cos();
            let corner = [x + w / 2.0 - (w * cos - h * sin) / 2.0, y + h / 2.0 - (w * sin + h * cos) / 2.0];
            ([corner[0], corner[1], w, h], angle.to_degrees())
        }
    };
    let percent = |v: f64, of: f64| round(v / of * 100.0, PER_PERCENT);
    json!({
        "x": percent(x, width), "y": percent(y, height), "width": percent(w, width), "height": percent(h, height),
        "rotation": round(rotation, 100.0), "rectanglelabels": [shown(mark.label)]
    })
}

/// The labelling interface: boxes, and a verdict for frames on which people draw none.
fn config(labels: &[String]) -> String {
    let mut s = String::from(
        "<View>\n  <Image name=\"image\" value=\"$image\" zoom=\"true\"/>\n  \
         <RectangleLabels name=\"label\" toName=\"image\" canRotate=\"true\">\n",
    );
    for label in labels {
        let _ = writeln!(s, "    <Label value=\"{}\"/>", escape(&*shown(label)));
    }
    s + "  </RectangleLabels>\n  <Choices name=\"verdict\" toName=\"image\" choice=\"single\">\n    \
         <Choice value=\"ok\"/>\n    <Choice value=\"ng\"/>\n  </Choices>\n</View>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_in_percent_and_a_turned_one_starts_at_its_own_corner() {
        let mark = Mark { label: "open", score: 0.9, bbox: [20.0, 10.0, 50.0, 20.0], turned: None };
        let value = rectangle(&mark, [200, 100]);
        assert_eq!(
            (&value["x"], &value["y"], &value["width"], &value["height"]),
            (&json!(10.0), &json!(10.0), &json!(25.0), &json!(20.0))
        );
        // A quarter turn clockwise about 50, 50: the upper left corner goes to the upper right.
        let turned = Some(([30.0, 40.0, 40.0, 20.0], std::f64::consts::FRAC_PI_2));
        let value = rectangle(&Mark { turned, ..mark }, [100, 100]);
        assert_eq!((&value["x"], &value["y"], &value["rotation"]), (&json!(60.0), &json!(30.0), &json!(90.0)));
    }

    #[test]
    fn labels_cannot_break_the_interface() {
        assert!(config(&["a<b\"".into()]).contains("<Label value=\"a&lt;b&quot;\"/>"));
        // No XML may hold it; the boxes have the same name.
        assert!(config(&["a\u{1}".into()]).contains(r#"<Label value="a\u{1}"/>"#));
        let mark = Mark { label: "a\u{1}", score: 0.9, bbox: [0.0, 0.0, 1.0, 1.0], turned: None };
        assert_eq!(rectangle(&mark, [8, 8])["rectanglelabels"][0], r"a\u{1}");
    }
}
