// SPDX-License-Identifier: MPL-2.0
//! The privacy mask: polygons of the frame that are blackened before anything is written.

use std::str::FromStr;

use crate::error::PolicyError;

/// Polygons in shares of the frame, 0..1 from the upper left corner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrivacyMask {
    polygons: Vec<Vec<[f64; 2]>>,
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
        let polygons = text.split(';').filter(|p| !p.trim().is_empty()).map(polygon).collect::<Result<_, _>>()?;
        Ok(Self { polygons })
    }
}

impl PrivacyMask {
    /// Returns whether the mask hides nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.polygons.is_empty()
    }

    /// Blackens packed pixels of `bytes` bytes, `width` in a row, whose middle lies in a polygon by the even-odd rule.
    pub(crate) fn blacken(&self, pixels: &mut [u8], width: usize, bytes: usize) {
        let height = pixels.len() / (width * bytes).max(1);
        let mut crossings = Vec::new();
        for polygon in &self.polygons {
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
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blackened(mask: &str, width: usize, height: usize) -> Vec<usize> {
        let mut pixels = vec![9; width * height];
        mask.parse::<PrivacyMask>().unwrap().blacken(&mut pixels, width, 1);
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
        "0,0 0.5,0 0.5,1 0,1".parse::<PrivacyMask>().unwrap().blacken(&mut pixels, 2, 3);
        assert_eq!(pixels, [0, 0, 0, 7, 7, 7, 0, 0, 0, 7, 7, 7]);
    }

    #[test]
    fn what_is_no_polygon_says_how_to_write_one() {
        for wrong in ["0,0 1,1", "0,0 1,1 2,0", "a,b c,d e,f"] {
            assert!(wrong.parse::<PrivacyMask>().unwrap_err().to_string().contains("0,0 0.3,0"), "{wrong}");
        }
        assert!("".parse::<PrivacyMask>().unwrap().is_empty());
    }
}
