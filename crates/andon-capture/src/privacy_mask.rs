// SPDX-License-Identifier: MPL-2.0
//! The privacy mask: polygons of the frame that are blackened before anything is written.

use std::str::FromStr;

use crate::error::{EncodeError, PolicyError};

/// Polygons in shares of the frame, 0..1 from the upper left corner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrivacyMask {
    polygons: Vec<Vec<[f64; 2]>>,
}

/// The most corners of all polygons together: every row of a frame is cut with every edge.
pub(crate) const MOST_CORNERS: usize = 1024;

/// Returns whether all corners lie on one line.
fn is_flat(polygon: &[[f64; 2]]) -> bool {
    let [x, y] = polygon[0];
    let from = |c: &[f64; 2]| [c[0] - x, c[1] - y];
    // The corner farthest from the first, so that rounding is small beside it.
    let length = |[dx, dy]: [f64; 2]| dx.hypot(dy);
    let far = polygon.iter().map(from).max_by(|a, b| length(*a).total_cmp(&length(*b))).unwrap_or_default();
    polygon.iter().map(from).all(|[dx, dy]| (dx * far[1] - dy * far[0]).abs() <= 1e-12)
}

impl FromStr for PrivacyMask {
    type Err = PolicyError;

    /// Reads `0,0 0.3,0 0.3,0.2 0,0.2; 0.8,0.8 1,0.8 1,1`: corners separated by spaces, polygons by semicolons.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let corner = |text: &str| {
            let (x, y) = text.split_once(',')?;
            let share = |t: &str| t.parse::<f64>().ok().filter(|v| (0.0..=1.0).contains(v));
            Some([share(x)?, share(y)?])
        };
        let polygon = |text: &str| {
            let corners: Option<Vec<_>> = text.split_whitespace().map(corner).collect();
            corners.filter(|c| c.len() >= 3).ok_or_else(|| PolicyError::Polygon(text.trim().into()))
        };
        let polygons: Vec<Vec<_>> =
            text.split(';').filter(|p| !p.trim().is_empty()).map(polygon).collect::<Result<_, _>>()?;
        let corners = polygons.iter().map(Vec::len).sum();
        if corners > MOST_CORNERS {
            return Err(PolicyError::Corners(corners));
        }
        // What was meant to hide something must.
        let flat = text.split(';').filter(|p| !p.trim().is_empty()).zip(&polygons).find(|(_, p)| is_flat(p));
        match flat {
            Some((written, _)) => Err(PolicyError::HidesNothing(written.trim().into())),
            None if polygons.is_empty() && !text.trim().is_empty() => {
                Err(PolicyError::HidesNothing(text.trim().into()))
            }
            None => Ok(Self { polygons }),
        }
    }
}

impl PrivacyMask {
    /// Returns whether the mask hides nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.polygons.is_empty()
    }

    /// Blackens packed pixels of `bytes` bytes, `width` in a row, whose middle lies in a polygon by the even-odd rule.
    ///
    /// # Errors
    /// [`EncodeError::Mask`] if a polygon hides no pixel: it is too thin for this frame, or undoes itself.
    pub(crate) fn blacken(&self, pixels: &mut [u8], width: usize, bytes: usize) -> Result<(), EncodeError> {
        let height = pixels.len() / (width * bytes).max(1);
        let mut crossings = Vec::new();
        for (i, polygon) in self.polygons.iter().enumerate() {
            let mut hidden = 0;
            for (y, row) in pixels.chunks_exact_mut((width * bytes).max(1)).enumerate() {
                let at = (y as f64 + 0.5) / height as f64;
                crossings.clear();
                let edges = polygon.iter().zip(polygon.iter().cycle().skip(1));
                crossings.extend(edges.filter(|([_, a], [_, b])| (*a <= at) != (*b <= at)).map(
                    |([ax, ay], [bx, by])| {
                        let x = ax + (at - ay) / (by - ay) * (bx - ax);
                        // The first pixel whose middle lies to the right.
                        (x * width as f64 - 0.5).ceil().clamp(0.0, width as f64) as usize
                    },
                ));
                crossings.sort_unstable();
                for pair in crossings.chunks_exact(2) {
                    row[pair[0] * bytes..pair[1] * bytes].fill(0);
                    hidden += pair[1] - pair[0];
                }
            }
            if hidden == 0 {
                return Err(EncodeError::Mask { number: i + 1, size: [width, height] });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blackened(mask: &str, width: usize, height: usize) -> Vec<usize> {
        let mut pixels = vec![9; width * height];
        mask.parse::<PrivacyMask>().unwrap().blacken(&mut pixels, width, 1).unwrap();
        pixels.iter().enumerate().filter(|(_, p)| **p == 0).map(|(i, _)| i).collect()
    }

    #[test]
    fn what_lies_in_a_polygon_is_black_and_nothing_else() {
        assert_eq!(blackened("0,0 0.5,0 0.5,0.5 0,0.5", 4, 4), [0, 1, 4, 5]);
        assert_eq!(blackened("0,0 1,0 1,1 0,1", 3, 2).len(), 6, "all of it");
        assert_eq!(blackened("0,0 1,0 0,1", 4, 4), [0, 1, 2, 4, 5, 8], "below the diagonal");
        assert_eq!(blackened("0,0 0.25,0 0.25,0.25 0,0.25; 0.75,0.75 1,0.75 1,1 0.75,1", 4, 4), [0, 15]);
    }

    #[test]
    fn every_byte_of_a_pixel_is_hidden() {
        let mut pixels = [7; 12];
        "0,0 0.5,0 0.5,1 0,1".parse::<PrivacyMask>().unwrap().blacken(&mut pixels, 2, 3).unwrap();
        assert_eq!(pixels, [0, 0, 0, 7, 7, 7, 0, 0, 0, 7, 7, 7]);
    }

    #[test]
    fn what_is_no_polygon_says_how_to_write_one() {
        for wrong in ["0,0 1,1", "0,0 1,1 2,0", "a,b c,d e,f"] {
            assert!(wrong.parse::<PrivacyMask>().unwrap_err().to_string().contains("0,0 0.3,0"), "{wrong}");
        }
        assert!("".parse::<PrivacyMask>().unwrap().is_empty());
    }

    #[test]
    fn a_mask_that_hides_nothing_is_refused_where_it_is_set_or_where_it_meets_the_frame() {
        for (mask, named) in [
            ("0,0 0,0 0,0", "'0,0 0,0 0,0' hides nothing"),
            ("0,0 1,0 1,1; 0.1,0.1 0.3,0.3 0.7,0.7", "'0.1,0.1 0.3,0.3 0.7,0.7' hides nothing"),
            (" ; ", "';' hides nothing"),
        ] {
            let e = mask.parse::<PrivacyMask>().unwrap_err().to_string();
            assert!(e.contains(named), "{mask}: {e}");
        }
        let many = "0,0 1,0 1,1; ".repeat(400);
        assert!(many.parse::<PrivacyMask>().unwrap_err().to_string().contains("1200 corners, and 1024 is the most"));
        let thin: PrivacyMask = "0,0 1,0 1,1; 0.5,0 0.50001,0 0.50001,1 0.5,1".parse().unwrap();
        let e = thin.blacken(&mut [9; 16], 4, 1).unwrap_err().to_string();
        assert!(e.starts_with("polygon 2 of mask covers the middle of no pixel of a frame of 4 x 4"), "{e}");
        assert!(thin.blacken(&mut vec![9; 200_000], 200_000, 1).is_ok());
        // Twice the same way round: by the even-odd rule the second undoes the first.
        let undone: PrivacyMask = "0,0 1,0 1,1 0,1 0,0 1,0 1,1 0,1".parse().unwrap();
        assert!(undone.blacken(&mut [9; 16], 4, 1).is_err());
    }
}
