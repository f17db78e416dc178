// SPDX-License-Identifier: MPL-2.0
//! How features are written for people.

/// A feature's name in words, and what it is; others go by their own name.
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
        "match" => ("Match", "correlation of the edges, at most 1"),
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

/// Row and column of a cell of the brightness grid.
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
    fn cells_are_told_from_other_features() {
        assert_eq!((cell("grid-03"), cell("grid-123"), cell("luma")), (Some((0, 3)), None, None));
    }
}
