// SPDX-License-Identifier: MPL-2.0
//! The size of a picture from its header.

use std::{
    error::Error as StdError,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use zune_jpeg::{JpegDecoder, zune_core::options::DecoderOptions};

use super::error::{Error, Result};

/// The longest side of a JPEG, pixels: the file has 16 bits for it.
const LONGEST: usize = u16::MAX as usize;

/// Returns width and height of a PNG or JPEG, pixels, without decoding it.
pub(super) fn size(path: &Path) -> Result<[u32; 2]> {
    let refused = |e| Error::Picture(format!("{} cannot be read as PNG or JPEG: {e}", path.display()));
    header(path).map_err(refused)
}

fn header(path: &Path) -> std::result::Result<[u32; 2], Box<dyn StdError>> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(b"\xff\xd8") {
        let options = DecoderOptions::default().set_max_width(LONGEST).set_max_height(LONGEST);
        let mut jpeg = JpegDecoder::new_with_options(file, options);
        jpeg.decode_headers()?;
        let (width, height) = jpeg.dimensions().ok_or("it has no size")?;
        return Ok([width.try_into()?, height.try_into()?]);
    }
    let mut png = png::Decoder::new(file);
    let header = png.read_header_info()?;
    Ok([header.width, header.height])
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Set, *};

    #[test]
    fn the_size_stands_in_the_header() {
        let set = Set::new();
        set.picture("a.png", [31, 7]);
        set.jpeg("a.jpg", [640, 480]);
        assert_eq!(size(&set.path().join("a.png")).unwrap(), [31, 7]);
        assert_eq!(size(&set.path().join("a.jpg")).unwrap(), [640, 480]);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let set = Set::new();
        let refused = |content: &[u8]| {
            set.file("a.jpg", content);
            let error = size(&set.path().join("a.jpg")).unwrap_err().to_string();
            assert!(error.contains("a.jpg cannot be read as PNG or JPEG"), "{error}");
        };
        refused(b"");
        refused(b"no picture");
        refused(b"\xff\xd8\xff\xe0\x00\x10JFIF");
        refused(b"\xff\xd8\xff\xe0\x00\x02\xff\xda\x00\x02");
        refused(b"\xff\xd8\xff\xe0\x00\x00\x00\x00");
    }

    #[test]
    fn a_picture_that_breaks_off_is_refused() {
        let set = Set::new();
        set.picture("a.png", [31, 7]);
        set.jpeg("a.jpg", [640, 480]);
        for (name, header) in [("a.png", 33), ("a.jpg", 103)] {
            let whole = std::fs::read(set.path().join(name)).unwrap();
            for length in 0..header {
                set.file(name, &whole[..length]);
                assert!(size(&set.path().join(name)).is_err(), "{name} of {length} bytes");
            }
        }
    }
}
