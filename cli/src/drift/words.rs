// SPDX-License-Identifier: MPL-2.0
//! Words for features.

/// Returns a feature's name in words, and its unit. A feature of a later version keeps its own name.
pub fn feature(name: &str) -> (String, &'static str) {
    if let Some((row, column)) = cell(name) {
        return (format!("Luma in row {}, column {}", row + 1, column + 1), "mean, 0 to 1");
    }
    let (words, what) = match name {
        "luma" => ("Luma", "mean, 0 to 1"),
        "contrast" => ("Contrast", "standard deviation of luma"),
        "red" => ("Red", "share of the three colours"),
        "green" => ("Green", "share of the three colours"),
        "blue" => ("Blue", "share of the three colours"),
        "sharpness" => ("Sharpness", "relative to contrast"),
        "noise" => ("Noise", "σ of luma where there are no edges"),
        "clipped-low" => ("Black", "share of pixels"),
        "clipped-high" => ("White", "share of pixels"),
        "shift-x" => ("Shift to the right", "pixels"),
        "shift-y" => ("Shift down", "pixels"),
        "match" => ("Match", "correlation of what stays in place, at most 1"),
        "rotation" => ("Rotation", "degrees, clockwise"),
        "white-level" => ("White level", "ln of the luma below which 95 of 100 pixels lie"),
        "light" => ("Light", "ln of luma over the scene's"),
        "local-contrast" => ("Local contrast", "ln of contrast over the scene's"),
        "detail" => ("Detail", "ln of sharpness over the scene's"),
        "grain" => ("Grain", "ln of noise over the scene's"),
        "tint-red" => ("Tint to red", "beyond what the light explains"),
        "tint-blue" => ("Tint to blue", "beyond what the light explains"),
        "slope-x" => ("Light from the right", "right half less left half"),
        "slope-y" => ("Light from below", "lower half less upper half"),
        "covered" => ("Covered", "share of cells"),
        "top-score" => ("Top score", "of the model on a frame, 0 to 1"),
        "detections" => ("Detections", "a frame"),
        "ng-share" => ("Called ng", "share of frames"),
        "review-share" => ("To be looked at", "share of frames"),
        "box-size" => ("Box size", "√ of the share of the frame"),
        "anomaly" => ("Anomaly", "score of the model, 0 to 1"),
        "embedding" => ("Embedding", "MMD² to the reference's"),
        "missing-share" => ("Not judged for want of input", "share of frames"),
        class if class.starts_with("class-") => (class, "detections a frame"),
        other => (other, ""),
    };
    (words.into(), what)
}

/// Returns the lowest and the highest value that a feature can have. Infinite where there is no bound, or none is known.
pub fn bounds(name: &str) -> (f64, f64) {
    const FREE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
    match name {
        "luma" | "red" | "green" | "blue" | "clipped-low" | "clipped-high" | "covered" | "top-score" | "ng-share"
        | "review-share" | "box-size" | "anomaly" | "missing-share" => (0.0, 1.0),
        "contrast" | "sharpness" | "noise" | "detections" => (0.0, f64::INFINITY),
        "match" => (-1.0, 1.0),
        class if class.starts_with("class-") => (0.0, f64::INFINITY),
        cell if self::cell(cell).is_some() => (0.0, 1.0),
        _ => FREE,
    }
}

/// Returns row and column of a cell of the brightness grid.
pub fn cell(name: &str) -> Option<(u32, u32)> {
    let mut digits = name.strip_prefix("grid-")?.chars().map(|c| c.to_digit(10));
    match (digits.next(), digits.next(), digits.next()) {
        (Some(Some(row)), Some(Some(column)), None) => Some((row, column)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_of_a_later_version_goes_by_its_own_name() {
        assert_eq!(feature("grid-03").0, "Luma in row 1, column 4");
        assert_eq!(feature("hue"), ("hue".into(), ""));
    }

    #[test]
    fn what_can_have_no_other_value_has_bounds() {
        for (name, expected) in [("grid-03", (0.0, 1.0)), ("clipped-high", (0.0, 1.0)), ("match", (-1.0, 1.0))] {
            assert_eq!(bounds(name), expected, "{name}");
        }
        assert_eq!((bounds("noise").0, bounds("class-3").0), (0.0, 0.0));
        assert!(bounds("shift-x").0.is_infinite() && bounds("of-a-later-version").0.is_infinite());
    }

    #[test]
    fn cells_are_told_from_other_features() {
        assert_eq!((cell("grid-03"), cell("grid-123"), cell("luma")), (Some((0, 3)), None, None));
    }
}
