// SPDX-License-Identifier: MPL-2.0
//! Small data sets on disk, for tests of their readers.

use std::{fs, io::Cursor, path::Path};

use super::{LabelledSet, Selection, read};

/// A folder that goes when it is dropped.
pub(crate) struct Set(tempfile::TempDir);

impl Set {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The path of the folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and the folders above it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    /// Writes a black PNG of that width and height.
    pub(crate) fn picture(&self, name: &str, [width, height]: [u32; 2]) {
        let mut png = Cursor::new(Vec::new());
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&vec![0; (width * height) as usize]).unwrap();
        self.file(name, png.into_inner());
    }

    /// Writes the head of a JPEG of that width and height: a comment that looks like a marker, a fill byte, a quantisation
    /// table, the frame, and the start of the scan.
    pub(crate) fn jpeg(&self, name: &str, [width, height]: [u32; 2]) {
        let mut jpeg = b"\xff\xd8\xff\xfe\x00\x06\xff\xc0\x00\x00\xff\xff\xdb\x00\x43\x00".to_vec();
        jpeg.extend([1; 64]);
        jpeg.extend(b"\xff\xc2\x00\x0b\x08");
        jpeg.extend((height as u16).to_be_bytes());
        jpeg.extend((width as u16).to_be_bytes());
        jpeg.extend(b"\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00");
        self.file(name, jpeg);
    }

    /// Writes such a JPEG with an EXIF note, an orientation of 1 to 8, after the marker that every JPEG begins with.
    pub(crate) fn turned_jpeg(&self, name: &str, size: [u32; 2], orientation: u16) {
        self.jpeg(name, size);
        let whole = fs::read(self.path().join(name)).unwrap();
        let block = [b"Exif\0\0".as_slice(), &exif(orientation)].concat();
        let length = (block.len() as u16 + 2).to_be_bytes();
        self.file(name, [&whole[..2], b"\xff\xe1", &length, &block, &whole[2..]].concat());
    }

    /// Writes a black PNG with an EXIF note.
    pub(crate) fn turned_png(&self, name: &str, [width, height]: [u32; 2], orientation: u16) {
        let mut png = Cursor::new(Vec::new());
        let mut info = png::Info::with_size(width, height);
        info.exif_metadata = Some(exif(orientation).into());
        let mut encoder = png::Encoder::with_info(&mut png, info).unwrap();
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&vec![0; (width * height) as usize]).unwrap();
        self.file(name, png.into_inner());
    }

    /// Reads the whole set.
    #[track_caller]
    pub(crate) fn whole(&self) -> LabelledSet {
        read(self.path(), &Selection::default()).unwrap()
    }

    /// Fails the test unless reading the set fails with all of `words`.
    #[track_caller]
    pub(crate) fn is_refused(&self, words: &[&str]) {
        let error = whole_text(&read(self.path(), &Selection::default()).unwrap_err());
        assert!(words.iter().all(|w| error.contains(w)), "{words:?} are not in: {error}");
    }
}

/// The error with its sources, as programs print it.
pub(crate) fn whole_text(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |e| e.source()).map(|e| e.to_string()).collect::<Vec<_>>().join(": ")
}

/// An EXIF block with nothing but an orientation.
fn exif(orientation: u16) -> Vec<u8> {
    let [low, high] = orientation.to_le_bytes();
    [b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[low, high, 0, 0, 0, 0, 0, 0]].concat()
}
