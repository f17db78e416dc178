// SPDX-License-Identifier: MPL-2.0
//! The size of a picture from its header, without decoding it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    path::Path,
};

use anyhow::{Context, Result, bail};

/// Width and height of a PNG or JPEG, pixels; fails where it is neither.
pub fn size(path: &Path) -> Result<[u32; 2]> {
    let read = || -> Result<_> {
        let mut file = BufReader::new(File::open(path)?);
        if file.fill_buf()?.starts_with(b"\xff\xd8") {
            return jpeg(file);
        }
        let mut png = png::Decoder::new(file);
        let header = png.read_header_info()?;
        Ok([header.width, header.height])
    };
    read().with_context(|| format!("{} cannot be read as PNG or JPEG", path.display()))
}

/// Walks the segments up to the frame header (ITU-T T.81, B.1 and B.2.2).
fn jpeg(mut file: impl BufRead + Seek) -> Result<[u32; 2]> {
    loop {
        let [mut marker] = take(&mut file)?;
        if marker != 0xff {
            bail!("it breaks off before its size");
        }
        // Any number of them may stand before a marker.
        while marker == 0xff {
            [marker] = take(&mut file)?;
        }
        match marker {
            // Start of the image, restarts and TEM stand alone.
            0xd0..=0xd8 | 0x01 => continue,
            0xd9 | 0xda => bail!("it has no frame"),
            _ => {}
        }
        let length = u16::from_be_bytes(take(&mut file)?);
        match marker {
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => {
                let [_, h1, h0, w1, w0] = take(&mut file)?;
                return Ok([[w1, w0], [h1, h0]].map(|side| u16::from_be_bytes(side).into()));
            }
            _ => {}
        }
        file.seek_relative(i64::from(length).saturating_sub(2).max(0))?;
    }
}

fn take<const N: usize>(file: &mut impl Read) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).context("it breaks off before its size")?;
    Ok(bytes)
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
    fn what_is_no_picture_is_told() {
        let set = Set::new();
        let refused = |content: &[u8]| {
            set.file("a.jpg", content);
            let error = format!("{:#}", size(&set.path().join("a.jpg")).unwrap_err());
            assert!(error.contains("a.jpg cannot be read as PNG or JPEG"), "{error}");
        };
        refused(b"");
        refused(b"no picture");
        refused(b"\xff\xd8\xff\xe0\x00\x10JFIF");
        refused(b"\xff\xd8\xff\xe0\x00\x02\xff\xda\x00\x02");
        refused(b"\xff\xd8\xff\xe0\x00\x00\x00\x00");
    }
}
