// SPDX-License-Identifier: MPL-2.0
//! What the header of a picture says: its size, and how it is turned before it is shown.

use std::{
    error::Error as StdError,
    io::{BufRead, BufReader},
    path::Path,
};

use andon_core::{files as core_files, orientation::Orientation};
use zune_jpeg::{JpegDecoder, zune_core::options::DecoderOptions};

use super::error::{Error, Result, ensure};

/// The longest side of a JPEG, pixels: the file has 16 bits for it.
const LONGEST: usize = u16::MAX as usize;

/// The header of a PNG or JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Width and height of the pixels as they are stored.
    pub(crate) stored: [u32; 2],
    /// How they are turned before they are shown.
    pub(crate) orientation: Orientation,
}

impl Header {
    /// Reads the header of a PNG or JPEG without decoding the picture.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let refused = |e| Error::Picture(format!("{} cannot be read as PNG or JPEG: {e}", path.display()));
        header(path).map_err(refused)
    }

    /// Width and height of the picture as it is shown, as annotation tools and trainers take it: labels lie on this.
    pub(crate) fn shown(self) -> [u32; 2] {
        self.orientation.shown(self.stored)
    }
}

/// Returns width and height of a picture as it is shown, pixels.
pub(super) fn size(path: &Path) -> Result<[u32; 2]> {
    Header::read(path).map(Header::shown)
}

/// Fails if a picture is not of the size that its labels name: boxes would lie elsewhere. `whose` names what says the size.
pub(super) fn check_size(path: &Path, said: [f64; 2], whose: &str) -> Result<()> {
    let header = Header::read(path)?;
    let ([width, height], stored, name) = (header.shown(), header.stored, path.display());
    ensure!(
        stored == [width, height] || said != stored.map(f64::from),
        Inconsistent,
        "{name} is stored as {} × {} pixels and shown as {width} × {height}, as its EXIF note says; {whose} says {} × {}. Do \
         the boxes lie on the pixels as stored, or as shown? Turn the pixels and drop the note in either case (exiftran -ai, or \
         ImageMagick's mogrify -auto-orient); if the boxes lie on the picture as shown, name that size; if as stored, drop the \
         note alone (exiftool -Orientation=)",
        stored[0],
        stored[1],
        said[0],
        said[1]
    );
    ensure!(
        said == [width, height].map(f64::from),
        Inconsistent,
        "{name} has {width} × {height} pixels, and not {} × {} as {whose} says: boxes would lie elsewhere",
        said[0],
        said[1]
    );
    Ok(())
}

fn header(path: &Path) -> std::result::Result<Header, Box<dyn StdError>> {
    let mut file = BufReader::new(core_files::open(path)?);
    if file.fill_buf()?.starts_with(b"\xff\xd8") {
        let options = DecoderOptions::default().set_max_width(LONGEST).set_max_height(LONGEST);
        let mut jpeg = JpegDecoder::new_with_options(file, options);
        jpeg.decode_headers()?;
        let (width, height) = jpeg.dimensions().ok_or("it has no size")?;
        let orientation = jpeg.exif().map(|exif| Orientation::of_exif(exif)).unwrap_or_default();
        return Ok(Header { stored: [width.try_into()?, height.try_into()?], orientation });
    }
    let png = png::Decoder::new(file).read_info()?;
    let info = png.info();
    let orientation = info.exif_metadata.as_deref().map(Orientation::of_exif).unwrap_or_default();
    Ok(Header { stored: [info.width, info.height], orientation })
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Set, *};

    #[test]
    fn the_size_stands_in_the_header_and_is_that_of_the_picture_as_it_is_shown() {
        let set = Set::new();
        set.picture("a.png", [31, 7]);
        set.jpeg("a.jpg", [640, 480]);
        assert_eq!(size(&set.path().join("a.png")).unwrap(), [31, 7]);
        assert_eq!(size(&set.path().join("a.jpg")).unwrap(), [640, 480]);
        for (orientation, shown) in [(1, [31, 7]), (3, [31, 7]), (6, [7, 31]), (8, [7, 31])] {
            set.turned_jpeg("b.jpg", [31, 7], orientation);
            set.turned_png("b.png", [31, 7], orientation);
            assert_eq!(size(&set.path().join("b.jpg")).unwrap(), shown, "{orientation}");
            assert_eq!(size(&set.path().join("b.png")).unwrap(), shown, "{orientation}");
        }
    }

    #[test]
    fn labels_of_a_turned_picture_say_how_they_lie_by_its_size_or_are_refused_with_both_readings() {
        let set = Set::new();
        set.turned_jpeg("b.jpg", [31, 7], 6);
        let check = |said| check_size(&set.path().join("b.jpg"), said, "b.xml").map_err(|e| e.to_string());
        assert_eq!(check([7.0, 31.0]), Ok(()));
        let both = check([31.0, 7.0]).unwrap_err();
        assert!(both.contains("stored as 31 × 7 pixels and shown as 7 × 31") && both.contains("exiftran"), "{both}");
        let neither = check([8.0, 31.0]).unwrap_err();
        assert!(neither.contains("b.jpg has 7 × 31 pixels, and not 8 × 31 as b.xml says"), "{neither}");
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
